"""Jobs of one session run one at a time in the order accepted; sessions do not wait for each other."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from fleet.models.job import Job, JobState
from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet
from tests.pages.server import PagesServer
from tests.polling import eventually

SUBMISSIONS = 30


@pytest.fixture
def session(fleet: RunningFleet) -> Iterator[Callable[[], str]]:
    """Makes a session that runs, and ends it with the test."""
    made: list[str] = []

    def make() -> str:
        made.append(fleet.session())
        return made[-1]

    yield make
    for deletion in [fleet.delete(session_id) for session_id in made]:
        fleet.end_of(deletion)


def submit_at_once(fleet: RunningFleet, session_id: str, url: str, **request: Any) -> list[str]:
    with ThreadPoolExecutor(SUBMISSIONS) as clients:
        return list(clients.map(lambda _: fleet.capture_in(session_id, url, **request), range(SUBMISSIONS)))


def visits_before(fleet: RunningFleet, job_id: str) -> int:
    """How many captures of the session came before this one, as told by its cookie."""
    (found,) = re.findall(r'"cookie":(\d+)', fleet.html_of(job_id))
    return int(found)


def overlapping(jobs: list[Job]) -> list[tuple[str, str]]:
    """Those that began before the one before them had ended."""
    times = sorted((job.started_at, job.finished_at, job.id) for job in jobs if job.started_at and job.finished_at)
    assert len(times) == len(jobs)
    return [(one[2], other[2]) for one, other in pairwise(times) if one[1] > other[0]]


def test_thirty_jobs_submitted_at_once_run_one_at_a_time_and_none_is_lost(
    fleet: RunningFleet, pages: PagesServer, session: Callable[[], str]
) -> None:
    accepted = submit_at_once(fleet, session(), f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    jobs = [fleet.end_of(job_id) for job_id in accepted]
    assert {(job.state, job.attempts) for job in jobs} == {(JobState.SUCCEEDED, 1)}
    assert sorted(visits_before(fleet, job_id) for job_id in accepted) == list(range(SUBMISSIONS))
    assert overlapping(jobs) == []


def test_thirty_jobs_submitted_at_once_run_in_the_order_accepted(
    fleet: RunningFleet, pages: PagesServer, session: Callable[[], str]
) -> None:
    session_id = session()
    is_open = pages.next_request("/gate/order")
    head = fleet.capture_in(session_id, f"{pages.url}/gate/order")
    eventually(is_open, seconds=30)
    accepted = submit_at_once(fleet, session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    position = {job_id: fleet.job(job_id).position for job_id in accepted}
    pages.open_gate("order")
    fleet.end_of(head)

    # The head is the first of the list while it runs.
    assert sorted(found for found in position.values() if found) == list(range(2, SUBMISSIONS + 2))
    assert {job_id: visits_before(fleet, job_id) + 2 for job_id in accepted} == position


def test_a_page_that_takes_long_in_one_session_does_not_delay_another(
    fleet: RunningFleet, pages: PagesServer, session: Callable[[], str]
) -> None:
    slow, other = session(), session()
    is_open = pages.next_request("/gate/slow-session")
    held = fleet.capture_in(slow, f"{pages.url}/gate/slow-session")
    # Their wake-ups come before those of the other session.
    behind = [fleet.capture_in(slow, f"{pages.url}/plain") for _ in range(SUBMISSIONS)]
    eventually(is_open, seconds=30)
    passing = [fleet.end_of(fleet.capture_in(other, f"{pages.url}/plain")) for _ in range(3)]
    meanwhile = [fleet.job(job_id).state for job_id in (held, *behind)]
    pages.open_gate("slow-session")

    assert [job.state for job in passing] == [JobState.SUCCEEDED] * 3
    assert meanwhile == [JobState.RUNNING, *[JobState.QUEUED] * SUBMISSIONS]
    assert {fleet.end_of(job_id).state for job_id in (held, *behind)} == {JobState.SUCCEEDED}


def test_as_many_sessions_as_there_are_children_work_side_by_side(
    fleet: RunningFleet, pages: PagesServer, session: Callable[[], str]
) -> None:
    sessions = [session() for _ in range(4)]
    jobs = [fleet.capture_in(session_id, f"{pages.url}/gate/side-by-side") for session_id in sessions]
    eventually(lambda: all(map(fleet.runs, jobs)), seconds=30)
    pages.open_gate("side-by-side")
    assert {fleet.end_of(job_id).state for job_id in jobs} == {JobState.SUCCEEDED}
