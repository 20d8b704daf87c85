"""A fleet that asks for keys: programs, people with a browser, the launcher."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.system.conftest import RunningFleet, start_fleet
from tests.system.person import DESKTOP, PHONE, Colours, People, Person
from tests.system.processes import Launched, python, wait_for_exit

_PATIENCE_MS = 60_000
_CI = "the-key-of-the-pipeline"
_OPS = "the-key-of-the-operator"
_KEYS = f"ci:{_CI},ops:{_OPS}:admin"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    running = start_fleet(tmp_path_factory.mktemp("keyed"), FLEET_API_KEYS=_KEYS, FLEET_LOG_FORMAT="json")
    yield running
    running.launched.kill_all()


@pytest.fixture(scope="module")
def program(keyed: RunningFleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keyed.url, headers={"Authorization": f"Bearer {_CI}"}, timeout=90) as client:
        yield client


@pytest.fixture(scope="module")
def session(program: httpx.Client, site: str) -> str:
    session_id: str = program.post("/api/sessions?wait=60", json={"url": site}).json()["session"]["id"]
    return session_id


@pytest.fixture
def meet(browser: Browser, keyed: RunningFleet) -> Iterator[People]:
    people = People(browser, keyed.url)
    yield people
    people.leave()


def _log_in(person: Person, key: str) -> None:
    person.page.get_by_label("API key").fill(key)
    person.page.get_by_role("button", name="Log in").click()


def test_a_person_logs_in_works_and_logs_out(meet: People, session: str) -> None:
    person = meet()
    page = person.open(f"/sessions/{session}")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    _log_in(person, "a-key-of-somewhere-else")
    expect(page.get_by_role("alert")).to_contain_text("none of the fleet's API keys")
    assert person.faults() == []
    _log_in(person, _OPS)
    expect(page).to_have_url(re.compile(f"/sessions/{session}$"))
    expect(page.locator("[data-link-state]")).to_have_text("live")
    expect(page.locator("canvas")).to_have_attribute("data-frames", re.compile(r"[1-9]"))
    assert person.faults() == []
    page.get_by_role("button", name="Capture", exact=True).click()
    expect(page.locator("[data-shots] img")).to_be_visible()
    page.get_by_role("link", name="Workers").click()
    expect(page.get_by_role("button", name="Drain")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    person.open("/workers")
    expect(page).to_have_url(re.compile(r"/login\?next=/workers$"))
    assert person.complaints == []


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_serious_fault_in_the_login(meet: People, colours: Colours, size: tuple[int, int]) -> None:
    person = meet(size=size, colours=colours)
    page = person.open("/login")
    assert person.faults() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    _log_in(person, _CI)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    assert person.faults() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert person.complaints == []


def test_a_page_that_is_open_leads_to_the_login_once_its_own_is_over(meet: People) -> None:
    person = meet()
    person.open("/jobs")
    _log_in(person, _CI)
    expect(person.page.get_by_role("heading", name="Jobs")).to_be_visible()
    person.page.context.clear_cookies()
    expect(person.page).to_have_url(re.compile(r"/login\?next=/jobs$"))


def test_a_guest_with_a_view_link_watches_without_a_key(meet: People, program: httpx.Client, session: str) -> None:
    link = program.post(f"/api/sessions/{session}/view_links", json={}).json()["url"]
    guest = meet()
    page = guest.open(link)
    expect(page.locator("[data-link-state]")).to_have_text("live")
    expect(page.locator("canvas")).to_have_attribute("data-frames", re.compile(r"[1-9]"))
    assert page.request.get(f"/api/sessions/{session}").status == 401
    assert guest.complaints == []


def test_a_link_on_another_site_leads_whoever_is_logged_in_to_the_page(
    meet: People, keyed: RunningFleet, site: str
) -> None:
    person = meet()
    person.open("/")
    _log_in(person, _CI)
    expect(person.page.get_by_role("button", name="Log out")).to_be_visible()
    # To a browser, this name of the same machine is another site.
    person.page.goto(site.replace("127.0.0.1", "localhost"))
    person.page.evaluate("address => { location.href = address }", f"{keyed.url}/jobs")
    expect(person.page).to_have_url(f"{keyed.url}/jobs")


def test_a_stream_takes_a_key_in_its_handshake(keyed: RunningFleet, session: str) -> None:
    address = f"{keyed.url.replace('http', 'ws', 1)}/api/sessions/{session}/stream?frames=1"
    with connect(address, additional_headers={"Authorization": f"Bearer {_CI}"}) as stream:
        assert stream.recv(timeout=60)
    for headers in ({}, {"Authorization": "Bearer a-key-of-somewhere-else"}):
        with pytest.raises(InvalidStatus) as refused:
            connect(address, additional_headers=headers)
        assert refused.value.response.status_code == 401


def test_only_names_of_keys_are_logged(keyed: RunningFleet, program: httpx.Client) -> None:
    program.get("/api/jobs", headers={"X-Request-Id": "req-of-a-name"})
    (line,) = [line for line in keyed.launched.output().splitlines() if "req-of-a-name" in line]
    assert '"api_key": "ci"' in line
    assert not any(key in keyed.launched.output() for key in (_CI, _OPS))


def test_the_demo_works_with_keys(tmp_path: Path) -> None:
    environment = {"DATA": str(tmp_path), "FLEET_API_KEYS": _KEYS}
    demo = Launched(python("-m", "launcher", "demo"), environment, log=tmp_path / "demo.log")
    try:
        assert wait_for_exit(demo, 120) == 0, demo.output()
    finally:
        demo.kill_all()
    assert (tmp_path / "demo/page.pdf").read_bytes().startswith(b"%PDF")
    assert _CI not in demo.output()


def test_bad_keys_are_told_before_anything_is_started(tmp_path: Path) -> None:
    environment = {"DATA": str(tmp_path / "data"), "FLEET_API_KEYS": "ci:too-short"}
    launched = Launched(python("-m", "launcher", "up"), environment, log=tmp_path / "up.log")
    try:
        assert wait_for_exit(launched, 60) == 1
    finally:
        launched.kill_all()
    assert "FLEET_API_KEYS" in launched.output()
    assert "too-short" not in launched.output()
    assert not (tmp_path / "data").exists()
