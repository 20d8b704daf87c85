"""Cancelled jobs stop, or never start."""

import os
import signal

from fleet.models.job import JobState
from tests.integration.worker.running_fleet import RunningFleet
from tests.pages.server import PagesServer
from tests.polling import eventually


def test_a_running_capture_that_is_cancelled_ends_as_cancelled(fleet: RunningFleet, pages: PagesServer) -> None:
    is_open = pages.next_request("/never")
    job_id = fleet.capture(f"{pages.url}/never")
    eventually(is_open, seconds=30)
    fleet.services.jobs.cancel(job_id)
    job = fleet.end_of(job_id)
    assert job.error is not None
    assert (job.state, job.error.code) == (JobState.CANCELLED, "job_cancelled")


def test_a_cancelled_capture_makes_room_for_the_next(fleet: RunningFleet, pages: PagesServer) -> None:
    endless = [fleet.capture(f"{pages.url}/gate/room-{number}") for number in range(4)]
    eventually(lambda: all(pages.requests(f"/gate/room-{number}") for number in range(4)), seconds=30)
    for job_id in endless:
        fleet.services.jobs.cancel(job_id)
    assert fleet.end_of(fleet.capture(f"{pages.url}/plain")).state is JobState.SUCCEEDED


def test_a_queued_job_that_is_cancelled_never_runs(fleet: RunningFleet, pages: PagesServer) -> None:
    before = pages.requests("/counted")
    busy = [fleet.capture(f"{pages.url}/gate/busy") for _ in range(4)]
    eventually(lambda: all(map(fleet.runs, busy)), seconds=30)
    cancelled, behind = fleet.capture(f"{pages.url}/counted"), fleet.capture(f"{pages.url}/plain")
    fleet.services.jobs.cancel(cancelled)
    pages.open_gate("busy")
    assert fleet.end_of(behind).state is JobState.SUCCEEDED
    assert (fleet.job(cancelled).state, fleet.job(cancelled).started_at) == (JobState.CANCELLED, None)
    assert pages.requests("/counted") == before


def test_a_cancelled_capture_leaves_its_session_to_the_next(fleet: RunningFleet, pages: PagesServer) -> None:
    session_id = fleet.session()
    is_open = pages.next_request("/never")
    cancelled = fleet.capture_in(session_id, f"{pages.url}/never")
    behind = fleet.capture_in(session_id, f"{pages.url}/plain")
    eventually(is_open, seconds=30)
    fleet.services.jobs.cancel(cancelled)
    assert [fleet.end_of(job_id).state for job_id in (cancelled, behind)] == [JobState.CANCELLED, JobState.SUCCEEDED]


def test_a_job_that_is_cancelled_as_it_starts_ends_as_cancelled(fleet: RunningFleet, pages: PagesServer) -> None:
    cancelled = [_cancel_at_start(fleet, f"{pages.url}/gate/start") for _ in range(4)]
    pages.open_gate("start")
    assert [fleet.end_of(job_id).state for job_id in cancelled] == [JobState.CANCELLED] * 4


def _cancel_at_start(fleet: RunningFleet, url: str) -> str:
    """The host is frozen meanwhile, so that the child has recorded the start and nobody runs the job yet."""
    host = fleet.worker.host()
    os.kill(host, signal.SIGSTOP)
    try:
        job_id = fleet.capture(url)
        eventually(lambda: fleet.runs(job_id), seconds=30)
        fleet.services.jobs.cancel(job_id)
    finally:
        os.kill(host, signal.SIGCONT)
    return job_id
