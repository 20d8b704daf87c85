"""The login of one session goes to another, through the API's services and a real worker."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from examples.site.server import COOKIE_NAME, ExampleSite, session_cookie
from fleet.errors import SessionEnded
from tests.integration.redis_server import free_port
from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet
from tests.pages.server import PagesServer


@pytest.fixture(autouse=True)
def room(fleet: RunningFleet) -> Iterator[None]:
    """The worker holds no session, before and after."""
    _end_sessions(fleet)
    yield
    _end_sessions(fleet)


def _end_sessions(fleet: RunningFleet) -> None:
    sessions = fleet.services.sessions.newest(limit=200, cursor=None).entries
    for deletion in [fleet.delete(session.id) for session in sessions]:
        fleet.end_of(deletion)


def state_of(fleet: RunningFleet, session_id: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(fleet.services.storage_states.get(session_id, "req-test"))
    return state


@pytest.fixture
def logged_in(fleet: RunningFleet, site: ExampleSite) -> str:
    """The id of a session that is logged in to the site."""
    cookie = {"name": COOKIE_NAME, "value": session_cookie("ada"), "url": site.url}
    return fleet.session(storage_state={"cookies": [cookie]}, url=f"{site.url}/account")


def test_a_session_that_gets_the_state_of_one_that_is_logged_in_is_logged_in(
    fleet: RunningFleet, site: ExampleSite, logged_in: str
) -> None:
    second = fleet.session(storage_state=state_of(fleet, logged_in))
    job_id = fleet.capture_in(second, f"{site.url}/account", outputs=[HTML_OUTPUT])
    assert "Ada" in fleet.html_of(job_id)


def test_the_state_comes_after_the_captures_accepted_before(fleet: RunningFleet, pages: PagesServer) -> None:
    session_id = fleet.session()
    captures = [fleet.capture_in(session_id, f"{pages.url}/cookie") for _ in range(3)]
    (cookie,) = state_of(fleet, session_id)["cookies"]
    assert cookie["value"] == str(len(captures))


def test_the_state_of_a_session_that_is_still_created_waits_for_it(fleet: RunningFleet, pages: PagesServer) -> None:
    session_id, _ = fleet.create_session(url=f"{pages.url}/cookie")
    (cookie,) = state_of(fleet, session_id)["cookies"]
    assert cookie["value"] == "1"


def test_the_state_of_a_session_whose_creation_fails_is_answered_as_ended(fleet: RunningFleet) -> None:
    session_id, _ = fleet.create_session(url=f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(SessionEnded) as raised:
        state_of(fleet, session_id)
    assert raised.value.details["end_reason"] == "create_failed"


def test_a_session_goes_on_after_its_state_was_taken(fleet: RunningFleet, site: ExampleSite, logged_in: str) -> None:
    state_of(fleet, logged_in)
    job = fleet.end_of(fleet.capture_in(logged_in))
    assert job.result is not None
    assert job.result.final_url == f"{site.url}/account"


def test_nothing_of_the_state_stays_in_the_store_or_the_log(
    fleet: RunningFleet, site: ExampleSite, logged_in: str
) -> None:
    state_of(fleet, logged_in)
    assert fleet.store.client.keys("*:storage_state") == []
    assert session_cookie("ada") not in fleet.worker.log_text
