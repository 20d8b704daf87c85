"""A worker that stops or drains hands over what it holds: nothing is lost, and it ends in time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from fleet.errors import SessionEnded
from fleet.models.job import JobState
from fleet.models.session import SessionState
from tests.integration.redis_server import RedisServer
from tests.integration.worker.processes import alive
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.test_lost_parts import TwoWorkers, assert_in_order, session_of, visited, visits_before
from tests.pages.server import PagesServer
from tests.polling import eventually

# Jobs have 60 % of it.
GRACE_SECONDS = 10


@pytest.fixture
def two(own_redis: RedisServer, tmp_path: Path) -> Iterator[TwoWorkers]:
    with ExitStack() as stack:
        yield TwoWorkers(stack, own_redis.url, tmp_path, shutdown_grace=GRACE_SECONDS)


def is_restored(fleet: RunningFleet, session_id: str) -> bool:
    session = session_of(fleet, session_id)
    return (session.state, session.generation) == (SessionState.RUNNING, 2)


def test_the_sessions_of_a_worker_that_stops_go_on_elsewhere(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    sessions = [visited(fleet, pages) for _ in range(3)]
    second = two.start_second()
    processes = two.first.processes()
    two.first.terminate()
    assert two.first.wait() == 0
    assert alive(processes) == []
    for session_id in sessions:
        eventually(partial(is_restored, fleet, session_id), seconds=30)
        assert session_of(fleet, session_id).worker == second.name
        assert visits_before(fleet, session_id, pages) == {"cookie": 2, "storage": 2}


def test_a_job_that_takes_too_long_is_handed_back_and_runs_elsewhere(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    session_id = visited(fleet, pages)
    opened = [pages.next_request(f"/gate/{name}") for name in ("handed-back", "in-its-session")]
    one_shot = fleet.capture(f"{pages.url}/gate/handed-back")
    in_session = [fleet.capture_in(session_id, f"{pages.url}/gate/in-its-session")]
    in_session += [fleet.capture_in(session_id, f"{pages.url}/plain") for _ in range(2)]
    eventually(lambda: all(is_open() for is_open in opened), seconds=30)
    second = two.start_second()
    two.first.terminate()
    assert two.first.wait() == 0
    for name in ("handed-back", "in-its-session"):
        pages.open_gate(name)
    jobs = [fleet.end_of(job_id) for job_id in [one_shot, *in_session]]
    assert [(job.state, job.worker) for job in jobs] == [(JobState.SUCCEEDED, second.name)] * 4
    # To be handed back is no attempt.
    assert [job.attempts for job in jobs] == [1] * 4
    assert_in_order(jobs[1:])


def test_a_second_sigterm_hands_jobs_back_at_once(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    is_open = pages.next_request("/gate/at-once")
    job_id = fleet.capture(f"{pages.url}/gate/at-once")
    eventually(is_open, seconds=30)
    two.first.terminate()
    eventually(lambda: "worker shuts down" in two.first.log_text)
    two.first.terminate()
    eventually(lambda: fleet.job(job_id).state is JobState.QUEUED, seconds=0.5 * GRACE_SECONDS)
    assert two.first.wait() == 0
    pages.open_gate("at-once")
    two.start_second()
    assert fleet.end_of(job_id).state is JobState.SUCCEEDED


def test_actions_are_not_handed_back(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    session_id = visited(fleet, pages)
    is_open = pages.next_request("/gate/acted")
    actions = [{"kind": "goto", "url": f"{pages.url}/gate/acted"}]
    job_id = fleet.capture_in(session_id, f"{pages.url}/plain", actions=actions)
    eventually(is_open, seconds=30)
    two.first.terminate()
    assert two.first.wait() == 0
    error = fleet.end_of(job_id).error
    assert error is not None
    assert error.code == "session_restored"


def test_sessions_outlive_a_fleet_without_workers(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    session_id = visited(fleet, pages)
    two.first.terminate()
    assert two.first.wait() == 0
    assert session_of(fleet, session_id).state is SessionState.RESTORING
    waiting = fleet.capture_in(session_id, f"{pages.url}/plain")
    second = two.start_second()
    assert fleet.end_of(waiting).worker == second.name


def test_a_session_that_is_deleted_while_nobody_holds_it_ends(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    session_id = visited(fleet, pages)
    two.first.terminate()
    two.first.wait()
    job_id = fleet.delete(session_id)
    two.start_second()
    assert fleet.end_of(job_id).state is JobState.SUCCEEDED
    with pytest.raises(SessionEnded):
        session_of(fleet, session_id)


def test_a_worker_that_drains_gives_its_sessions_away_and_goes_on_running(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    idle, busy = visited(fleet, pages), visited(fleet, pages)
    is_open = pages.next_request("/gate/drained")
    running = fleet.capture_in(busy, f"{pages.url}/gate/drained")
    eventually(is_open, seconds=30)
    second = two.start_second()
    fleet.services.workers.drain(two.first.name)
    eventually(lambda: session_of(fleet, idle).worker == second.name, seconds=30)
    pages.open_gate("drained")
    job = fleet.end_of(running)
    assert (job.state, job.worker) == (JobState.SUCCEEDED, two.first.name)
    eventually(lambda: session_of(fleet, busy).worker == second.name, seconds=30)
    assert visits_before(fleet, idle, pages) == {"cookie": 2, "storage": 2}
    assert two.first.is_running
    assert fleet.store.slots.holders(two.first.name) == []


def test_a_worker_that_drains_takes_no_captures_and_no_sessions(two: TwoWorkers) -> None:
    fleet = two.fleet
    second = two.start_second()
    fleet.services.workers.drain(two.first.name)
    eventually(lambda: '"event": "draining"' in two.first.log_text, seconds=30)
    eventually(lambda: '"joined": false' in two.first.log_text, seconds=30)
    jobs = [fleet.capture(html="<p>Taken by the other") for _ in range(6)]
    jobs += [fleet.create_session()[1] for _ in range(3)]
    assert {fleet.end_of(job_id).worker for job_id in jobs} == {second.name}


def test_a_worker_that_is_emptied_is_empty_when_it_is_told_so(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    session_id = visited(fleet, pages)
    second = two.start_second()
    command = [sys.executable, "-m", "workers.empty", "--worker", two.first.name, "--within", "120"]
    environment = {**os.environ, "FLEET_REDIS_URL": fleet.settings.redis_url}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == f"{two.first.name} is empty\n"
    assert fleet.store.slots.holders(two.first.name) == []
    eventually(lambda: session_of(fleet, session_id).worker == second.name, seconds=60)
