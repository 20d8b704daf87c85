"""What users do with a running fleet, from outside."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.system.conftest import RunningFleet


def test_one_request_gives_a_png(api: httpx.Client, site: str) -> None:
    answer = api.post("/api/captures?wait=60", json={"url": site}, headers={"Accept": "image/png"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_accept_alone_chooses_a_pdf(api: httpx.Client, site: str) -> None:
    answer = api.post("/api/captures?wait=60", json={"url": site}, headers={"Accept": "application/pdf"})
    assert answer.content.startswith(b"%PDF")


def test_every_artifact_of_a_manifest_is_there_with_its_size_and_hash(api: httpx.Client, site: str) -> None:
    kinds = ["screenshot", "pdf", "html"]
    body = {"url": f"{site}/table", "outputs": [{"kind": kind} for kind in kinds]}
    job = api.post("/api/captures?wait=60", json=body).json()["job"]
    artifacts = job["result"]["artifacts"]
    contents = [api.get(artifact["url"]).content for artifact in artifacts]
    assert [artifact["kind"] for artifact in artifacts] == kinds
    assert [len(content) for content in contents] == [artifact["bytes"] for artifact in artifacts]
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [a["sha256"] for a in artifacts]


@pytest.fixture
def ada_cookie(site: str) -> dict[str, object]:
    """What the login form gives, in the shape that a storage state takes."""
    with httpx.Client(base_url=site) as browser:
        browser.post("/login", data={"username": "ada", "password": "lovelace"})
        value = browser.cookies["session"]
    return {"name": "session", "value": value, "domain": "127.0.0.1", "path": "/"}


def test_a_logged_in_session_captures_as_that_user_and_its_neighbour_is_a_stranger(
    api: httpx.Client, site: str, ada_cookie: dict[str, object]
) -> None:
    state = {"storage_state": {"cookies": [ada_cookie]}}
    ada = api.post("/api/sessions?wait=60", json=state).json()["session"]["id"]
    stranger = api.post("/api/sessions?wait=60", json={}).json()["session"]["id"]

    def final_url(session: str, page: str) -> str:
        body = {"url": f"{site}{page}", "outputs": [{"kind": "html"}]}
        job = api.post(f"/api/sessions/{session}/captures?wait=60", json=body).json()["job"]
        url: str = job["result"]["final_url"]
        return url

    assert final_url(ada, "/account") == f"{site}/account"
    assert final_url(ada, "/account/orders") == f"{site}/account/orders"
    assert final_url(stranger, "/account") == f"{site}/login"


def _log_in(password: str) -> list[dict[str, str]]:
    return [
        {"kind": "fill", "selector": "[name=username]", "value": "ada"},
        {"kind": "fill", "selector": "[name=password]", "value": password},
        {"kind": "click", "selector": "main button"},
    ]


def test_a_session_that_logs_in_by_the_form_captures_the_members_page_from_then_on(
    api: httpx.Client, site: str
) -> None:
    session = api.post("/api/sessions?wait=60", json={}).json()["session"]["id"]

    def capture(**body: object) -> dict[str, object]:
        body = {"outputs": [{"kind": "html"}], **body}
        job = api.post(f"/api/sessions/{session}/captures?wait=60", json=body).json()["job"]
        assert job["state"] == "succeeded", job["error"]
        result: dict[str, object] = job["result"]
        return result

    assert capture(url=f"{site}/account")["final_url"] == f"{site}/login"
    assert capture(url=f"{site}/login", actions=_log_in("lovelace"))["final_url"] == f"{site}/account"
    assert capture(url=f"{site}/account/orders")["final_url"] == f"{site}/account/orders"


def test_an_action_that_fails_is_named_and_its_session_goes_on(api: httpx.Client, site: str) -> None:
    session = api.post("/api/sessions?wait=60", json={}).json()["session"]["id"]
    actions = [*_log_in("lovelace"), {"kind": "evaluate", "expression": "throw Error('out of luck')"}]
    captures = f"/api/sessions/{session}/captures?wait=60"
    failed = api.post(captures, json={"url": f"{site}/login", "actions": actions}).json()["job"]
    after = api.post(captures, json={"url": f"{site}/account"}).json()["job"]
    assert (failed["state"], failed["error"]["code"]) == ("failed", "action_failed")
    assert failed["error"]["details"] == {"action": "evaluate", "index": 3}
    assert after["result"]["final_url"] == f"{site}/account"


def test_a_password_that_is_filled_in_is_in_no_record_and_no_log(
    api: httpx.Client, site: str, fleet: RunningFleet
) -> None:
    password = "not-the-password-5f0c"
    good = api.post("/api/captures?wait=60", json={"url": f"{site}/login", "actions": _log_in(password)})
    missing = {"kind": "fill", "selector": "#missing", "value": password, "timeout": 300}
    bad = api.post("/api/captures?wait=60", json={"url": f"{site}/login", "actions": [missing]})
    assert (good.json()["job"]["state"], bad.json()["job"]["error"]["code"]) == ("succeeded", "selector_not_found")
    assert password not in good.text + bad.text + api.get("/api/jobs").text + fleet.launched.output()


def test_a_deleted_session_is_gone_with_its_reason(api: httpx.Client) -> None:
    session = api.post("/api/sessions?wait=60", json={}).json()["session"]["id"]
    assert api.delete(f"/api/sessions/{session}?wait=60").status_code == 200
    answer = api.get(f"/api/sessions/{session}")
    assert answer.status_code == 410
    assert answer.json()["error"]["details"]["end_reason"] == "deleted"


def test_fifty_captures_at_once_all_succeed_each_with_its_own_artifact(api: httpx.Client, site: str) -> None:
    def submit(number: int) -> str:
        body = {"url": f"{site}/?number={number}", "outputs": [{"kind": "screenshot"}]}
        job: str = api.post("/api/captures", json=body).json()["job"]["id"]
        return job

    with ThreadPoolExecutor(16) as clients:
        jobs = list(clients.map(submit, range(50)))
        ended = list(clients.map(lambda job: api.get(f"/api/jobs/{job}?wait=90").json(), jobs))
    assert [job["state"] for job in ended] == ["succeeded"] * 50
    assert len({job["result"]["artifacts"][0]["id"] for job in ended}) == 50
    assert [job["result"]["url"].rsplit("=")[-1] for job in ended] == [str(number) for number in range(50)]


def test_two_hundred_waiting_clients_leave_the_api_free_to_answer(api: httpx.Client, fleet: RunningFleet) -> None:
    slow = {"html": "<title>slow</title>", "wait_for_timeout": 15_000}
    job = api.post("/api/captures", json=slow).json()["job"]["id"]
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=fleet.url, timeout=90, limits=limits) as crowd, ThreadPoolExecutor(200) as clients:
        waiting = [clients.submit(crowd.get, f"/api/jobs/{job}?wait=60") for _ in range(200)]
        health = [api.get("/healthz").status_code for _ in range(50)]
        still_waiting = sum(not future.done() for future in waiting)
        states = {future.result().json()["state"] for future in waiting}
    assert health == [200] * 50
    assert still_waiting == 200
    assert states == {"succeeded"}


def test_an_unreachable_page_fails_its_job_and_the_next_one_succeeds(api: httpx.Client, site: str) -> None:
    bad = api.post("/api/captures?wait=60", json={"url": "http://no-such-host.invalid/"}).json()["job"]
    good = api.post("/api/captures?wait=60", json={"url": site}).json()["job"]
    assert (bad["state"], bad["error"]["code"]) == ("failed", "name_not_resolved")
    assert good["state"] == "succeeded"


def test_flower_shows_the_worker(api: httpx.Client, fleet: RunningFleet) -> None:
    page = httpx.get(f"{fleet.flower}/workers", timeout=30)
    assert page.status_code == 200
    assert "worker-1@" in page.text
