"""A host or a worker that is lost costs time, not sessions and not jobs."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path

import pytest

from fleet.models.job import Job, JobState
from fleet.models.session import Session, SessionState
from fleet.settings import Settings
from fleet.store import open_store
from tests.integration.redis_server import RedisServer
from tests.integration.worker.processes import alive, chrome_under, kill, parent
from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet
from tests.integration.worker.worker import Worker
from tests.pages.server import PagesServer
from tests.polling import eventually

Fault = Callable[[Worker], None]


def kill_host(worker: Worker) -> None:
    kill([worker.host()])


def kill_chrome(worker: Worker) -> None:
    kill(chrome_under(worker.host()))


def kill_driver(worker: Worker) -> None:
    (chrome,) = chrome_under(worker.host())
    kill([parent(chrome)])


class TwoWorkers:
    """Sessions are created on the first, which is the only one at that time."""

    def __init__(self, stack: ExitStack, redis_url: str, folder: Path, **settings: object) -> None:
        self._stack = stack
        self._folder = folder
        self._settings = Settings.model_validate(
            {
                "redis_url": redis_url,
                "artifacts_url": f"file:{folder / 'artifacts'}",
                "session_rate": "1000/minute",
                "memory_limit_mb": 16_384,
                **settings,
            }
        )
        self._store = open_store(self._settings, retries=14)
        stack.callback(self._store.client.close)
        self.first = self._start("first")
        self.fleet = RunningFleet(self._settings, self._store, self.first)

    def start_second(self) -> Worker:
        return self._start("second")

    def _start(self, label: str) -> Worker:
        return self._stack.enter_context(Worker(self._settings, self._store, self._folder, label=label))


@pytest.fixture
def two(own_redis: RedisServer, tmp_path: Path) -> Iterator[TwoWorkers]:
    with ExitStack() as stack:
        yield TwoWorkers(stack, own_redis.url, tmp_path)


@pytest.fixture
def fleet(own_fleet: RunningFleet) -> RunningFleet:
    """Of its own for each test: a worker gives up after five quick ends of its host."""
    return own_fleet


def session_of(fleet: RunningFleet, session_id: str) -> Session:
    return fleet.services.sessions.get(session_id)


def visited(fleet: RunningFleet, pages: PagesServer) -> str:
    """The id of a session that has been at /cookie once, and whose checkpoint says so."""
    session_id = fleet.session()
    fleet.end_of(fleet.capture_in(session_id, f"{pages.url}/cookie"))
    eventually(lambda: has_been_at(fleet, session_id, f"{pages.url}/cookie"))
    return session_id


def has_been_at(fleet: RunningFleet, session_id: str, url: str) -> bool:
    checkpoint = fleet.store.checkpoints.get(session_id)
    return checkpoint is not None and checkpoint.url == url


def visits_before(fleet: RunningFleet, session_id: str, pages: PagesServer) -> dict[str, int]:
    """What the session remembers of /cookie. Going back there after a loss counts as a visit, if it was there last."""
    html = fleet.html_of(fleet.capture_in(session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT]))
    found = re.search(r"<pre>(.*?)</pre>", html)
    assert found, html
    told: dict[str, int] = json.loads(unescape(found[1]))
    return told


@pytest.mark.parametrize("fault", [kill_chrome, kill_driver, kill_host])
def test_a_capture_whose_browser_is_lost_runs_again(
    fleet: RunningFleet, pages: PagesServer, fault: Fault, request: pytest.FixtureRequest
) -> None:
    gate = f"lost-{request.node.callspec.id}"
    is_open = pages.next_request(f"/gate/{gate}")
    job_id = fleet.capture(f"{pages.url}/gate/{gate}")
    eventually(is_open, seconds=30)
    fault(fleet.worker)
    pages.open_gate(gate)
    job = fleet.end_of(job_id)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2), job.error


@pytest.mark.parametrize("fault", [kill_chrome, kill_driver, kill_host])
def test_a_session_outlives_its_browser_and_keeps_the_order_of_its_jobs(
    fleet: RunningFleet, pages: PagesServer, fault: Fault, request: pytest.FixtureRequest
) -> None:
    gate = f"survived-{request.node.callspec.id}"
    session_id = visited(fleet, pages)
    is_open = pages.next_request(f"/gate/{gate}")
    jobs = [fleet.capture_in(session_id, f"{pages.url}/gate/{gate}")]
    jobs += [fleet.capture_in(session_id, f"{pages.url}/plain") for _ in range(2)]
    eventually(is_open, seconds=30)
    fault(fleet.worker)
    pages.open_gate(gate)
    ended = [fleet.end_of(job_id) for job_id in jobs]
    assert [job.state for job in ended] == [JobState.SUCCEEDED] * 3, [job.error for job in ended]
    assert [job.finished_at for job in ended] == sorted(job.finished_at for job in ended if job.finished_at)
    assert session_of(fleet, session_id).generation == 2
    assert visits_before(fleet, session_id, pages) == {"cookie": 2, "storage": 2}


def test_actions_that_may_have_been_done_are_not_done_again(fleet: RunningFleet, pages: PagesServer) -> None:
    session_id = visited(fleet, pages)
    is_open = pages.next_request("/gate/acted")
    job_id = fleet.capture_in(
        session_id, f"{pages.url}/plain", actions=[{"kind": "goto", "url": f"{pages.url}/gate/acted"}]
    )
    eventually(is_open, seconds=30)
    kill_host(fleet.worker)
    job = fleet.end_of(job_id)
    pages.open_gate("acted")
    assert job.error is not None
    assert (job.error.code, job.attempts) == ("session_restored", 1)
    assert fleet.end_of(fleet.capture_in(session_id)).state is JobState.SUCCEEDED


def test_a_creation_whose_host_is_lost_is_done_again(fleet: RunningFleet, pages: PagesServer) -> None:
    is_open = pages.next_request("/gate/created-twice")
    session_id, job_id = fleet.create_session(url=f"{pages.url}/gate/created-twice")
    eventually(is_open, seconds=30)
    kill_host(fleet.worker)
    pages.open_gate("created-twice")
    assert fleet.end_of(job_id).state is JobState.SUCCEEDED
    assert session_of(fleet, session_id).state is SessionState.RUNNING


def test_a_session_can_be_deleted_while_its_host_is_away(fleet: RunningFleet) -> None:
    session_id = fleet.session()
    kill_host(fleet.worker)
    assert fleet.end_of(fleet.delete(session_id)).state is JobState.SUCCEEDED


def test_the_sessions_and_jobs_of_a_worker_that_is_killed_go_on_elsewhere(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    session_id = visited(fleet, pages)
    running, one_shot = (pages.next_request(f"/gate/{name}") for name in ("moved", "in-hand"))
    jobs = [fleet.capture_in(session_id, f"{pages.url}/gate/moved")]
    jobs += [fleet.capture_in(session_id, f"{pages.url}/plain") for _ in range(2)]
    in_hand = fleet.capture(f"{pages.url}/gate/in-hand")
    eventually(lambda: running() and one_shot(), seconds=30)
    two.first.kill_all()
    second = two.start_second()
    for name in ("moved", "in-hand"):
        pages.open_gate(name)
    ended = [fleet.end_of(job_id) for job_id in [*jobs, in_hand]]
    assert [(job.state, job.worker) for job in ended] == [(JobState.SUCCEEDED, second.name)] * 4
    assert_in_order(ended[:3])
    session = session_of(fleet, session_id)
    assert (session.worker, session.generation) == (second.name, 2)
    assert visits_before(fleet, session_id, pages)["cookie"] >= 1


def assert_in_order(jobs: list[Job]) -> None:
    times = [moment for job in jobs for moment in (job.started_at, job.finished_at) if moment]
    assert times == sorted(times)


def test_a_worker_that_comes_back_under_its_name_takes_up_what_it_held(
    own_redis: RedisServer, tmp_path: Path, pages: PagesServer
) -> None:
    with ExitStack() as stack:
        one = TwoWorkers(stack, own_redis.url, tmp_path)
        fleet = one.fleet
        session_id = visited(fleet, pages)
        is_open = pages.next_request("/gate/came-back")
        job_id = fleet.capture(f"{pages.url}/gate/came-back")
        eventually(is_open, seconds=30)
        one.first.kill_all()
        pages.open_gate("came-back")
        with Worker(fleet.settings, fleet.store, tmp_path, label="first"):
            assert fleet.end_of(job_id).state is JobState.SUCCEEDED
            eventually(lambda: session_of(fleet, session_id).generation == 2, seconds=30)
            assert visits_before(fleet, session_id, pages) == {"cookie": 2, "storage": 2}


def test_a_worker_that_stood_still_gives_up_what_others_have_taken_over(two: TwoWorkers, pages: PagesServer) -> None:
    fleet = two.fleet
    session_id = visited(fleet, pages)
    second = two.start_second()
    two.first.stop()
    eventually(lambda: session_of(fleet, session_id).worker == second.name, seconds=60)
    two.first.resume()
    eventually(lambda: fleet.store.slots.holders(two.first.name) == [], seconds=60)
    eventually(lambda: session_of(fleet, session_id).state is SessionState.RUNNING, seconds=60)
    assert fleet.end_of(fleet.capture_in(session_id)).worker == second.name


def test_a_host_that_stands_still_is_replaced(own_redis: RedisServer, tmp_path: Path, pages: PagesServer) -> None:
    with ExitStack() as stack:
        one = TwoWorkers(stack, own_redis.url, tmp_path, health_seconds=5)
        session_id = visited(one.fleet, pages)
        host = one.first.host()
        os.kill(host, signal.SIGSTOP)
        eventually(lambda: alive([host]) == [], seconds=90)
        eventually(lambda: session_of(one.fleet, session_id).generation == 2, seconds=60)
        assert [report.host_restarts for report in one.fleet.store.workers.alive()] == [1]


def is_given_up(worker: Worker) -> bool:
    kill(worker.hosts())
    return not worker.is_running


def test_a_worker_whose_host_ends_again_and_again_gives_up(two: TwoWorkers) -> None:
    processes = two.first.processes()
    eventually(lambda: is_given_up(two.first), seconds=60)
    assert two.first.wait() != 0
    assert alive(processes) == []
    assert "gives up" in two.first.log_text
