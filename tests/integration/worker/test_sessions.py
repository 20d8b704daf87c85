"""Sessions through a real worker: logged in, apart from each other, one job at a time, and ended for a reason."""

import pytest

from examples.site.server import COOKIE_NAME, ExampleSite, session_cookie
from fleet.errors import SessionEnded
from fleet.models.job import JobState
from fleet.models.session import SessionState
from tests.integration.redis_server import free_port
from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet
from tests.pages.server import PagesServer


def logged_in(site: ExampleSite) -> dict[str, object]:
    cookie = {"name": COOKIE_NAME, "value": session_cookie("ada"), "url": site.url}
    return {"storage_state": {"cookies": [cookie]}}


@pytest.mark.parametrize("path", ["/account", "/account/orders"])
def test_a_session_with_a_login_sees_the_member_s_pages(fleet: RunningFleet, site: ExampleSite, path: str) -> None:
    session_id = fleet.session(**logged_in(site))
    job_id = fleet.capture_in(session_id, f"{site.url}{path}", outputs=[HTML_OUTPUT])
    assert "Ada" in fleet.html_of(job_id)


def test_a_session_beside_it_is_sent_to_the_login(fleet: RunningFleet, site: ExampleSite) -> None:
    fleet.session(**logged_in(site))
    job = fleet.end_of(fleet.capture_in(fleet.session(), f"{site.url}/account"))
    assert job.result is not None
    assert job.result.final_url == f"{site.url}/login"


def test_a_running_session_tells_where_it_is(fleet: RunningFleet, site: ExampleSite) -> None:
    session_id = fleet.session(url=f"{site.url}/article")
    session = fleet.services.sessions.get(session_id)
    assert (session.state, session.worker, session.url) == (
        SessionState.RUNNING,
        fleet.worker.name,
        f"{site.url}/article",
    )


def test_a_capture_accepted_before_the_session_runs_waits_for_its_creation(
    fleet: RunningFleet, pages: PagesServer
) -> None:
    session_id, creation_id = fleet.create_session(url=f"{pages.url}/gate/creation")
    job_id = fleet.capture_in(session_id)
    assert fleet.services.sessions.get(session_id).state is SessionState.PENDING
    pages.open_gate("creation")
    job, creation = fleet.end_of(job_id), fleet.end_of(creation_id)
    assert job.result is not None
    assert job.result.title == "Behind creation"
    assert creation.finished_at is not None
    assert job.started_at is not None
    assert creation.finished_at <= job.started_at


def test_a_deletion_runs_behind_the_captures_accepted_before(fleet: RunningFleet, pages: PagesServer) -> None:
    session_id = fleet.session()
    captures = [fleet.capture_in(session_id, f"{pages.url}/gate/deletion") for _ in range(2)]
    deletion = fleet.delete(session_id)
    assert fleet.job(deletion).state is JobState.QUEUED
    pages.open_gate("deletion")
    assert [fleet.end_of(job_id).state for job_id in (*captures, deletion)] == [JobState.SUCCEEDED] * 3


def test_a_deleted_session_is_remembered_as_deleted(fleet: RunningFleet) -> None:
    session_id = fleet.session()
    fleet.end_of(fleet.delete(session_id))
    with pytest.raises(SessionEnded) as raised:
        fleet.services.sessions.get(session_id)
    assert raised.value.details["end_reason"] == "deleted"


def test_a_capture_behind_the_deletion_fails_as_ended(fleet: RunningFleet, pages: PagesServer) -> None:
    session_id = fleet.session()
    fleet.capture_in(session_id, f"{pages.url}/gate/behind")
    fleet.delete(session_id)
    too_late = fleet.capture_in(session_id, f"{pages.url}/plain")
    pages.open_gate("behind")
    error = fleet.end_of(too_late).error
    assert error is not None
    assert (error.code, error.details["end_reason"]) == ("session_ended", "deleted")


def test_a_session_whose_url_cannot_be_opened_fails_with_the_page_s_code(fleet: RunningFleet) -> None:
    _, job_id = fleet.create_session(url=f"http://127.0.0.1:{free_port()}/")
    error = fleet.end_of(job_id).error
    assert error is not None
    assert error.code == "connection_refused"


def test_a_session_whose_creation_failed_has_ended(fleet: RunningFleet) -> None:
    session_id, job_id = fleet.create_session(url=f"http://127.0.0.1:{free_port()}/")
    fleet.end_of(job_id)
    with pytest.raises(SessionEnded) as raised:
        fleet.services.sessions.get(session_id)
    assert raised.value.details["end_reason"] == "create_failed"
