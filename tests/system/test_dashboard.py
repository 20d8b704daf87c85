"""What a person does with the dashboard, in a real browser, against a whole fleet."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.polling import eventually
from tests.system.conftest import RunningFleet
from tests.system.person import DESKTOP, PHONE, Colours, People, Person

_PATIENCE_MS = 60_000
_LISTS = ["/", "/sessions", "/capture", "/batches", "/gallery", "/jobs", "/workers"]
_HOSTILE_TITLE = "<img src=x onerror=document.body.dataset.hacked=1>"


@pytest.fixture
def meet(browser: Browser, fleet: RunningFleet) -> Iterator[People]:
    """Makes a person; at the end none of them may have anything to complain about."""
    people = People(browser, fleet.url)
    yield people
    assert people.leave() == []


@pytest.fixture
def person(meet: People) -> Person:
    return meet()


@pytest.fixture
def page(person: Person) -> Page:
    return person.page


@pytest.fixture(scope="module")
def session(fleet: RunningFleet, site: str) -> Iterator[str]:
    """A session that shows the star list."""
    with httpx.Client(base_url=fleet.url, timeout=90) as api:
        session_id: str = api.post("/api/sessions?wait=60", json={"url": f"{site}/table"}).json()["session"]["id"]
        yield session_id
        api.delete(f"/api/sessions/{session_id}?wait=60")


@pytest.fixture(scope="module")
def job(fleet: RunningFleet, site: str) -> str:
    """A capture that has succeeded."""
    body = {"url": site, "outputs": [{"kind": "screenshot"}, {"kind": "pdf"}, {"kind": "html"}]}
    job_id: str = httpx.post(f"{fleet.url}/api/captures?wait=60", json=body, timeout=90).json()["job"]["id"]
    return job_id


def _wait_until_live(page: Page) -> None:
    expect(page.locator("[data-link-state]")).to_have_text("live")
    expect(page.locator("canvas")).to_have_attribute("data-frames", re.compile(r"[1-9]"))


def _go(page: Page, url: str) -> None:
    page.get_by_label("Address", exact=True).fill(url)
    page.get_by_role("button", name="Go", exact=True).click()


def _shows(page: Page, path: str) -> None:
    """The session is there, by its own word."""
    expect(page.locator("[data-page-title]")).to_have_text(re.compile(f"{path}$"))


def _place_of(browser: Browser, url: str, selector: str) -> tuple[float, float]:
    """Where the element's middle is in a page of a session's size."""
    visit = browser.new_page(viewport={"width": 1280, "height": 720})
    visit.goto(url)
    box = visit.locator(selector).bounding_box()
    visit.close()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _click_in_session(page: Page, at: tuple[float, float]) -> None:
    canvas = page.locator("canvas")
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": at[0] * box["width"] / 1280, "y": at[1] * box["height"] / 720})


def test_a_person_creates_a_session_watches_it_types_into_its_page_captures_it_and_deletes_it(
    person: Person, browser: Browser, site: str
) -> None:
    page = person.open("/sessions")
    page.get_by_role("button", name="New session").first.click()
    page.get_by_label("Address to open").fill(f"{site}/table")
    page.get_by_role("button", name="Create", exact=True).click()
    page.wait_for_url(re.compile(r"/sessions/ses_\w+$"))
    session_id = page.url.rpartition("/")[2]
    _wait_until_live(page)

    picture = "document.querySelector('canvas').toDataURL()"
    before = page.evaluate(picture)
    _go(page, f"{site}/login")
    _shows(page, "/login")
    eventually(lambda: page.evaluate(picture) != before, seconds=60)
    expect(page.locator(".event.page").first).to_contain_text("/login")

    _click_in_session(page, _place_of(browser, f"{site}/login", "#username"))
    expect(page.locator("[data-taken]")).to_have_count(1)
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("lovelace")
    page.keyboard.press("Enter")
    _shows(page, "/account")

    page.get_by_label("What to capture").select_option(label="The full page")
    page.get_by_role("button", name="Capture", exact=True).click()
    shot = page.locator("[data-shots] img")
    expect(shot).to_be_visible()
    assert shot.evaluate("async image => { await image.decode(); return image.naturalWidth }") == 1280

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete session").click()
    page.wait_for_url("**/sessions")
    assert page.request.get(f"/api/sessions/{session_id}").status == 410


def test_whoever_watches_hears_that_the_session_has_ended_and_why(person: Person, api: httpx.Client, site: str) -> None:
    session_id = api.post("/api/sessions?wait=60", json={"url": site}).json()["session"]["id"]
    page = person.open(f"/sessions/{session_id}")
    _wait_until_live(page)
    api.delete(f"/api/sessions/{session_id}?wait=60")
    expect(page.locator("[data-veil-text]")).to_have_text("The session has ended. It was deleted.")
    expect(page.get_by_role("button", name="Capture", exact=True)).to_be_disabled()


def test_a_live_view_that_has_lost_its_connection_gets_it_back(person: Person, session: str) -> None:
    page = person.page
    connections: list[WebSocketRoute] = []

    def lose(route: WebSocketRoute) -> None:
        route.connect_to_server()
        connections.append(route)

    page.route_web_socket(re.compile(r"/stream\?"), lose)
    person.open(f"/sessions/{session}")
    _wait_until_live(page)
    connections[0].close(code=4000)
    eventually(lambda: page.evaluate("1") and len(connections) == 2, seconds=60)
    expect(page.locator("[data-link-state]")).to_have_text("live")


def test_a_tab_that_nobody_looks_at_leaves_its_place_and_takes_it_again(person: Person, session: str) -> None:
    page = person.page
    page.clock.install()
    person.open(f"/sessions/{session}")
    _wait_until_live(page)
    _set_hidden(page, "true")
    page.clock.run_for(16_000)
    expect(page.locator("[data-link-state]")).to_have_text("paused")
    _set_hidden(page, "false")
    expect(page.locator("[data-link-state]")).to_have_text("live")


def _set_hidden(page: Page, hidden: str) -> None:
    """As when another tab is in front, or this one again."""
    page.evaluate(f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_when_all_viewers_places_are_taken_it_says_so_and_lets_try_again(
    person: Person, fleet: RunningFleet, session: str
) -> None:
    page = person.page
    with _crowd(fleet, session) as leave:
        person.open(f"/sessions/{session}")
        expect(page.locator("[data-link-state]")).to_have_text("full")
        expect(page.locator("[data-veil-text]")).to_contain_text("200 viewers are watching")
        leave()
        page.get_by_role("button", name="Try again").click()
        _wait_until_live(page)


@contextmanager
def _crowd(fleet: RunningFleet, session: str) -> Iterator[Callable[[], None]]:
    """As many viewers of events as may be; the function has them leave."""
    address = f"{fleet.url.replace('http', 'ws', 1)}/api/sessions/{session}/stream"
    with ExitStack() as crowd:
        with suppress(InvalidStatus):
            for _ in range(1000):
                crowd.enter_context(connect(address))
        yield crowd.close


def test_the_keyboard_gets_into_the_live_view_and_out_of_it(person: Person, session: str) -> None:
    page = person.open(f"/sessions/{session}")
    _wait_until_live(page)
    canvas = page.locator("canvas")
    page.get_by_role("button", name="Go", exact=True).focus()
    page.keyboard.press("Tab")
    expect(canvas).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-taken]")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(canvas).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("[data-taken]")).to_have_count(0)
    page.keyboard.press("Tab")
    expect(canvas).not_to_be_focused()


def test_on_a_phone_text_is_typed_and_keys_are_pressed_without_a_keyboard(
    meet: People, browser: Browser, api: httpx.Client, site: str
) -> None:
    session_id = api.post("/api/sessions?wait=60", json={"url": f"{site}/login"}).json()["session"]["id"]
    person = meet(size=PHONE)
    page = person.open(f"/sessions/{session_id}")
    _wait_until_live(page)
    page.get_by_text("Type without a keyboard").click()
    _click_in_session(page, _place_of(browser, f"{site}/login", "#username"))
    for text, key in (("ada", "Tab"), ("lovelace", "Enter")):
        page.get_by_label("Text to type into the page").fill(text)
        page.get_by_role("button", name="Type", exact=True).click()
        page.get_by_role("button", name=key, exact=True).click()
    _shows(page, "/account")
    assert person.faults() == []


def test_a_shared_view_shows_the_session_and_takes_no_input(person: Person, meet: People, session: str) -> None:
    page = person.open(f"/sessions/{session}")
    page.get_by_role("button", name="Share view").click()
    page.get_by_role("button", name="Make a link").click()
    field = page.get_by_label("The link")
    expect(field).to_be_visible()
    guest = meet()
    shared = guest.open(field.input_value())
    _wait_until_live(shared)
    assert shared.locator("form, [data-api], a[href^='/']").count() == 0
    assert guest.faults() == []


def test_a_link_that_was_tampered_with_opens_a_readable_page(person: Person) -> None:
    answer = person.page.goto("/view/not-a-link")
    assert answer is not None
    assert 400 <= answer.status < 500
    expect(person.page.locator("h1")).to_be_visible()


def test_a_person_captures_a_page_and_sees_the_picture_and_its_files_beside_the_form(person: Person, site: str) -> None:
    page = person.open("/capture")
    page.get_by_label("Address", exact=True).last.fill(f"{site}/article")
    page.get_by_label("PDF").check()
    page.get_by_role("checkbox", name="HTML").check()
    page.get_by_role("button", name="Capture", exact=True).click()
    result = page.locator("[data-result]")
    expect(result.locator("img")).to_be_visible()
    expect(result.get_by_role("link", name="PDF")).to_be_visible()
    expect(result.get_by_role("link", name="HTML")).to_be_visible()
    expect(result).to_contain_text("Where the time went")


def test_a_refusal_is_shown_in_the_words_of_the_api(person: Person) -> None:
    page = person.open("/capture")
    page.get_by_label("Address", exact=True).last.fill("ftp://example.org/")
    page.get_by_role("button", name="Capture", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The fleet opens http: and https: URLs")


def test_what_a_hostile_page_calls_itself_does_nothing(person: Person, api: httpx.Client) -> None:
    html = f"<title>{_HOSTILE_TITLE.replace('<', '&lt;')}</title>"
    job = api.post("/api/captures?wait=60", json={"html": html}).json()["job"]
    for path in ("/gallery", f"/jobs/{job['id']}", "/"):
        page = person.open(path)
        expect(page.get_by_text(_HOSTILE_TITLE).first).to_be_visible()
        assert page.evaluate("document.body.dataset.hacked") is None


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_no_serious_fault_on_any_page(
    meet: People, session: str, job: str, colours: Colours, size: tuple[int, int]
) -> None:
    person = meet(size=size, colours=colours)
    found = {}
    for path in [*_LISTS, f"/sessions/{session}", f"/jobs/{job}", "/sessions/ses_unknown"]:
        person.open(path)
        if path.startswith("/sessions/ses_") and "unknown" not in path:
            _wait_until_live(person.page)
        found[path] = person.faults()
    assert {path: faults for path, faults in found.items() if faults} == {}


@pytest.mark.parametrize(("size", "colours"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_person_captures_a_list_of_addresses_and_looks_at_what_came_of_it(
    meet: People, site: str, size: tuple[int, int], colours: Colours
) -> None:
    person = meet(size=size, colours=colours)
    page = person.open("/batches")
    page.get_by_role("button", name="New batch").click()
    assert person.faults() == []
    page.get_by_label("Addresses, one on each line").fill(f"{site}/\n\n{site}/article\n")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/batches/bat_*")
    expect(page.get_by_text("completed")).to_be_visible()
    assert person.faults() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.get_by_role("button", name="Gallery").click()
    expect(page.locator(".pictures img")).to_have_count(2)
    assert person.faults() == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_dialogs_and_opened_parts(meet: People, session: str, colours: Colours) -> None:
    person = meet(colours=colours)
    page = person.open("/sessions#new-session")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert person.faults() == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete session").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert person.faults() == []
    page = person.open("/capture")
    for summary in page.locator("summary").all():
        summary.click()
    assert person.faults() == []


@pytest.mark.parametrize("path", _LISTS)
def test_on_a_phone_nothing_sticks_out(meet: People, session: str, job: str, path: str) -> None:
    page = meet(size=PHONE).open(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_live_view_fits_a_phone(meet: People, session: str) -> None:
    page = meet(size=PHONE).open(f"/sessions/{session}")
    _wait_until_live(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_page_looks_for_news_every_five_seconds_and_only_while_somebody_looks(person: Person) -> None:
    page = person.page
    page.clock.install(time=0)
    person.open("/jobs")
    page.clock.pause_at(60)
    eventually(lambda: page.evaluate("document.querySelectorAll('.htmx-request').length") == 0, seconds=30)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def have_been_asked(times: int) -> None:
        # Events of the page are heard while it is asked something.
        eventually(lambda: page.evaluate("1") and len(asked) == times, seconds=30)

    for times in (1, 2, 3):
        page.clock.run_for(5_000)
        have_been_asked(times)
    _set_hidden(page, "true")
    page.clock.run_for(60_000)
    _set_hidden(page, "false")
    have_been_asked(4)


def test_a_list_shows_what_has_come_since_without_taking_the_focus(person: Person, api: httpx.Client) -> None:
    page = person.open("/jobs")
    api.post("/api/captures?wait=60", json={"html": "<p>"})
    page.reload()
    link = page.locator("tbody a").first
    link.focus()
    focused = link.get_attribute("href")
    job = api.post("/api/captures?wait=60", json={"html": "<p>"}).json()["job"]["id"]
    expect(page.locator(f"tbody tr#{job}")).to_be_visible()
    assert page.evaluate("document.activeElement.getAttribute('href')") == focused


def test_what_a_person_has_opened_stays_open(person: Person, session: str) -> None:
    page = person.open("/workers")
    # Of the worker's next report.
    expect(page.get_by_text("Largest sessions")).to_be_visible()
    page.get_by_text("Largest sessions").click()
    link = page.locator(f"a[href='/sessions/{session}']")
    expect(link).to_be_visible()
    with page.expect_response(re.compile("/workers")) as refreshed:
        pass
    refreshed.value.finished()
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(link).to_be_visible()


def test_the_colours_that_a_person_chooses_stay(person: Person) -> None:
    page = person.open("/")
    button = page.get_by_role("button", name="Colours")
    button.click()
    button.click()
    expect(button).to_contain_text("Dark")
    page.reload()
    expect(page.get_by_role("button", name="Colours")).to_contain_text("Dark")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_worker_is_drained_from_its_card_once_it_is_confirmed(person: Person, fleet: RunningFleet) -> None:
    page = person.open("/workers")
    page.get_by_role("button", name="Drain").click()
    expect(page.get_by_role("dialog")).to_contain_text("It takes no more work")
    page.get_by_role("button", name="Keep it").click()
    assert not httpx.get(f"{fleet.url}/api/workers").json()["workers"][0]["draining"]
