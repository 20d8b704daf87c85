"""A worker that is short of memory takes no new sessions; others do, and so does it once it has room."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fleet.errors import SessionEnded
from fleet.models.job import JobState
from fleet.models.session import EndReason, SessionEnd
from fleet.models.worker import WorkerReport
from fleet.settings import Settings
from fleet.store import open_store
from tests.integration.redis_server import RedisServer
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.worker import Worker
from tests.pages.server import PagesServer
from tests.polling import eventually

MB = 2**20
# No worker fits into the one, all fit into the other.
TINY_MB, AMPLE_MB = 64, 1_000_000
KEEPS_80_MB = "window.kept = new Uint8Array(80 * 1024 * 1024).fill(1)"


class Workers:
    """Starts workers of their own limits on one Redis."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self._folder = folder
        self.settings = Settings(redis_url=redis_url, artifacts_url=f"file:{folder / 'artifacts'}")
        self.store = open_store(self.settings, retries=14)

    @contextmanager
    def running(self, label: str, memory_limit_mb: int) -> Iterator[RunningFleet]:
        settings = self.settings.model_copy(update={"memory_limit_mb": memory_limit_mb})
        with Worker(settings, self.store, self._folder, concurrency=2, label=label) as worker:
            yield RunningFleet(settings, self.store, worker)


@pytest.fixture
def workers(own_redis: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    opened = Workers(own_redis.url, tmp_path)
    yield opened
    opened.store.client.close()


def report_of(fleet: RunningFleet) -> WorkerReport:
    (report,) = [report for report in fleet.store.workers.alive() if report.name == fleet.worker.name]
    return report


def test_a_creation_waits_while_memory_is_short_and_another_worker_takes_it(workers: Workers) -> None:
    with workers.running("tiny", TINY_MB) as tiny:
        eventually(lambda: not report_of(tiny).admits_sessions, seconds=20)
        eventually(lambda: '"joined": false' in tiny.worker.log_text, seconds=20)
        session_id, job_id = tiny.create_session()
        assert (tiny.job(job_id).state, tiny.job(job_id).position) == (JobState.QUEUED, 1)
        with workers.running("ample", AMPLE_MB) as ample:
            assert ample.end_of(job_id).state is JobState.SUCCEEDED
            assert ample.services.sessions.get(session_id).worker == ample.worker.name


def test_a_worker_short_of_memory_says_so_once_and_goes_on_with_captures(workers: Workers) -> None:
    with workers.running("tiny", TINY_MB) as tiny:
        before = report_of(tiny)
        job_id = tiny.capture(html="<p>Room for this")
        assert tiny.end_of(job_id).state is JobState.SUCCEEDED
        eventually(lambda: report_of(tiny).reported_at > before.reported_at, seconds=20)
        assert tiny.worker.log_text.count("memory runs short") == 1


def test_a_worker_takes_sessions_again_once_it_has_room(workers: Workers, pages: PagesServer) -> None:
    idle_mb = memory_of_an_idle_worker(workers)
    # Full with what the pages below keep, and far from it without them.
    with workers.running("worker", int((idle_mb + 150) / 0.75)) as fleet:
        created = [fleet.create_session(url=f"{pages.url}/plain", scripts=[KEEPS_80_MB]) for _ in range(4)]
        eventually(lambda: not report_of(fleet).admits_sessions, seconds=30)
        eventually(lambda: '"joined": false' in fleet.worker.log_text, seconds=20)
        _, waiting = fleet.create_session()
        assert fleet.job(waiting).state is JobState.QUEUED
        assert "memory_high" in [alert.name for alert in fleet.services.status.read().alerts]
        for session_id, job_id in created:
            if fleet.job(job_id).state is JobState.SUCCEEDED:
                # Some may have been ended already, to relieve the worker.
                with suppress(SessionEnded):
                    fleet.delete(session_id)
        assert fleet.end_of(waiting).state is JobState.SUCCEEDED
        eventually(lambda: "memory_high" not in [alert.name for alert in report_of(fleet).alerts], seconds=20)


def test_when_memory_runs_out_the_largest_session_ends_and_a_small_one_lives(
    workers: Workers, pages: PagesServer
) -> None:
    with workers.running("worker", memory_of_an_idle_worker(workers) + 150) as fleet:
        small = fleet.session(url=f"{pages.url}/plain")
        large = [fleet.create_session(url=f"{pages.url}/plain", scripts=[KEEPS_80_MB])[0] for _ in range(3)]
        endings = eventually(lambda: endings_of(fleet, large), seconds=60)
        assert {ending.end_reason for ending in endings} == {EndReason.MEMORY}
        assert fleet.end_of(fleet.capture_in(small)).state is JobState.SUCCEEDED


def memory_of_an_idle_worker(workers: Workers) -> int:
    """In MB."""
    with workers.running("measure", AMPLE_MB) as ample:
        ample.end_of(ample.capture(html="<p>All is started"))
        eventually(lambda: report_of(ample).memory_by_part.get("chrome"), seconds=20)
        return report_of(ample).memory_bytes // MB


def endings_of(fleet: RunningFleet, session_ids: list[str]) -> list[SessionEnd]:
    ended = [session_id for session_id in session_ids if fleet.store.sessions.get(session_id) is None]
    return [ending for session_id in ended if (ending := fleet.store.sessions.ending(session_id))]


def test_a_report_tells_what_the_worker_uses(workers: Workers) -> None:
    with workers.running("ample", 2048) as fleet:
        fleet.end_of(fleet.capture(html="<p>All is started"))
        report = report_of(fleet)
        processes = fleet.worker.processes()
        assert set(report.memory_by_part) == {"celery", "host", "driver", "chrome"}
        assert all(used > MB for used in report.memory_by_part.values())
        assert report.memory_limit_bytes <= 2048 * MB
        assert 0.5 < report.processes / len(processes) < 2
        assert report.threads > report.processes
        assert report.file_descriptors > report.processes
        assert report.temp_bytes > 0
