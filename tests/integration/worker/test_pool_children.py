"""A pool child that is killed costs nothing but time, unless its job kills every one."""

import os
import signal

from fleet.models.job import JobState
from tests.integration.worker.running_fleet import RunningFleet
from tests.pages.server import PagesServer
from tests.polling import eventually


def kill_child_of(fleet: RunningFleet, job_id: str, *, attempt: int) -> None:
    eventually(lambda: fleet.runs(job_id) and fleet.job(job_id).attempts == attempt, seconds=30)
    # The message about a session's job names the session.
    named = fleet.job(job_id).session_id or job_id
    child = eventually(lambda: fleet.worker.child_of(named), seconds=30)
    assert child is not None
    os.kill(child, signal.SIGKILL)


def test_a_job_whose_child_was_killed_runs_again_and_succeeds(fleet: RunningFleet, pages: PagesServer) -> None:
    job_id = fleet.capture(f"{pages.url}/gate/killed-once")
    kill_child_of(fleet, job_id, attempt=1)
    pages.open_gate("killed-once")
    job = fleet.end_of(job_id)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2)
    assert "WorkerLostError" in fleet.worker.log_text
    assert '"exception"' not in fleet.worker.log_text


def test_the_jobs_of_other_children_do_not_notice(fleet: RunningFleet, pages: PagesServer) -> None:
    killed, *others = [fleet.capture(f"{pages.url}/gate/neighbours") for _ in range(4)]
    eventually(lambda: all(map(fleet.runs, others)), seconds=30)
    kill_child_of(fleet, killed, attempt=1)
    pages.open_gate("neighbours")
    jobs = [fleet.end_of(job_id) for job_id in others]
    assert [(job.state, job.attempts) for job in jobs] == [(JobState.SUCCEEDED, 1)] * 3


def test_a_session_s_job_whose_child_was_killed_runs_again_and_keeps_its_place(
    fleet: RunningFleet, pages: PagesServer
) -> None:
    session_id = fleet.session()
    is_open = pages.next_request("/gate/in-session")
    killed = fleet.capture_in(session_id, f"{pages.url}/gate/in-session")
    eventually(is_open, seconds=30)
    kill_child_of(fleet, killed, attempt=1)
    behind = fleet.capture_in(session_id, f"{pages.url}/plain")
    pages.open_gate("in-session")
    first, second = fleet.end_of(killed), fleet.end_of(behind)
    assert (first.state, first.attempts, second.state) == (JobState.SUCCEEDED, 2, JobState.SUCCEEDED)
    assert first.finished_at is not None
    assert second.started_at is not None
    assert first.finished_at <= second.started_at


def test_a_job_that_takes_three_children_with_it_is_given_up(fleet: RunningFleet, pages: PagesServer) -> None:
    job_id = fleet.capture(f"{pages.url}/gate/deadly")
    for attempt in (1, 2, 3):
        kill_child_of(fleet, job_id, attempt=attempt)
    job = fleet.end_of(job_id)
    pages.open_gate("deadly")
    assert job.error is not None
    assert (job.state, job.error.code, job.attempts) == (JobState.FAILED, "worker_lost", 3)
