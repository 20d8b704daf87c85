"""A real Prometheus scrapes a real fleet by the shipped rules: what goes wrong raises its alert there and in
GET /api/status, and clears it again in both.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from fleet.clock import utc_now
from fleet.models.job import JobState
from fleet.models.worker import WorkerReport
from fleet.settings import Settings
from fleet.store import open_store
from tests.integration.prometheus_server import PrometheusServer
from tests.integration.redis_server import RedisServer, free_port
from tests.integration.worker.api_process import Api
from tests.integration.worker.processes import chrome_under, kill
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.worker import Worker
from tests.pages.server import PagesServer
from tests.polling import eventually

MB = 2**20
# What a report, a scrape and an evaluation take, on a machine that is busy.
_TOLD_SECONDS = 90
_FETCH_81 = "(async () => { for (let n = 0; n < 81; n++) await (await fetch('/plain?' + n)).text(); return 'done' })()"
_KEEPS_20_MB = "window.kept = new Uint8Array(20 * 1024 * 1024).fill(1)"


@dataclass(frozen=True)
class WatchedFleet:
    fleet: RunningFleet
    api: Api
    prometheus: PrometheusServer

    def raises(self, name: str) -> dict[str, str]:
        """The alert's labels in Prometheus. `name`: as in the status."""
        eventually(lambda: name in self._status(), seconds=_TOLD_SECONDS)
        eventually(lambda: _camel(name) in self.prometheus.firing(), seconds=_TOLD_SECONDS)
        return self.prometheus.firing()[_camel(name)]

    def clears(self, name: str) -> None:
        eventually(lambda: name not in self._status(), seconds=2 * _TOLD_SECONDS)
        eventually(lambda: _camel(name) not in self.prometheus.firing(), seconds=_TOLD_SECONDS)

    def report(self) -> WorkerReport:
        (report,) = self.fleet.store.workers.alive()
        return report

    def _status(self) -> set[str]:
        answer = self.api.get("/api/status").raise_for_status().json()
        return {alert["name"] for alert in answer["alerts"]}


def _camel(name: str) -> str:
    return "Fleet" + name.title().replace("_", "")


def watched_fleet(stack: ExitStack, folder: Path, redis: RedisServer, *, memory_limit_mb: int) -> WatchedFleet:
    settings = Settings(
        redis_url=redis.url,
        artifacts_url=f"file:{folder / 'artifacts'}",
        session_rate="1000/minute",
        memory_limit_mb=memory_limit_mb,
        metrics_bind=f"127.0.0.1:{free_port()}",
        queue_limit=10,
    )
    store = open_store(settings, retries=14)
    stack.callback(store.client.close)
    worker = stack.enter_context(Worker(settings, store, folder, concurrency=2))
    api = stack.enter_context(Api(settings, folder))
    targets = {"fleet-api": api.address, "fleet-worker": settings.metrics_bind}
    prometheus = stack.enter_context(PrometheusServer(folder, targets))
    return WatchedFleet(RunningFleet(settings, store, worker), api, prometheus)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedFleet]:
    """Of one worker with room for ten sessions. A test leaves no alert behind."""
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    with ExitStack() as stack:
        stack.callback(redis.stop)
        yield watched_fleet(stack, tmp_path_factory.mktemp("fleet"), redis, memory_limit_mb=16_384)


def test_prometheus_reads_both_pages(watched: WatchedFleet) -> None:
    eventually(lambda: watched.prometheus.health() == {"fleet-api": "up", "fleet-worker": "up"}, seconds=_TOLD_SECONDS)
    eventually(lambda: watched.prometheus.value("fleet_worker_chrome_up") == 1, seconds=_TOLD_SECONDS)
    eventually(lambda: watched.prometheus.value('fleet_workers{state="able"}') == 1, seconds=_TOLD_SECONDS)
    assert watched.prometheus.value("fleet_worker_session_memory_bytes_gcount") is not None
    assert watched.prometheus.firing() == {}


def test_nine_of_ten_sessions_alert_until_there_are_seven(watched: WatchedFleet) -> None:
    held = [watched.fleet.session() for _ in range(9)]
    alert = watched.raises("sessions_high")
    assert (alert["severity"], alert["worker"]) == ("warning", watched.fleet.worker.name)
    for session_id in held:
        watched.fleet.end_of(watched.fleet.delete(session_id))
    watched.clears("sessions_high")


def test_eighty_one_responses_of_a_session_alert_until_they_are_deleted(
    watched: WatchedFleet, pages: PagesServer
) -> None:
    session_id = watched.fleet.session(url=f"{pages.url}/plain", record_responses=True)
    fetching = watched.fleet.capture_in(session_id, actions=[{"kind": "evaluate", "expression": _FETCH_81}])
    assert watched.fleet.end_of(fetching).state is JobState.SUCCEEDED
    assert watched.raises("responses_high")["severity"] == "info"
    watched.fleet.services.responses.clear(session_id)
    watched.clears("responses_high")
    watched.fleet.end_of(watched.fleet.delete(session_id))


def test_a_queue_with_nine_of_ten_jobs_alerts_until_they_are_gone(watched: WatchedFleet) -> None:
    jobs = [f"job_{number}" for number in range(9)]
    for job in jobs:
        assert watched.fleet.store.waiting.try_join("captures", job, utc_now())
    assert watched.raises("queue_high")["queue"] == "captures"
    for job in jobs:
        watched.fleet.store.waiting.leave("captures", job)
    watched.clears("queue_high")


def test_a_chrome_that_is_killed_alerts_until_it_has_been_back_for_a_while(watched: WatchedFleet) -> None:
    kill(chrome_under(watched.fleet.worker.host()))
    alert = watched.raises("chrome_down")
    assert (alert["severity"], alert["worker"]) == ("critical", watched.fleet.worker.name)
    watched.clears("chrome_down")
    assert watched.prometheus.value("fleet_worker_chrome_up") == 1


def test_a_worker_that_is_killed_alerts_until_it_is_back(own_redis: RedisServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        watched = watched_fleet(stack, tmp_path, own_redis, memory_limit_mb=16_384)
        eventually(lambda: watched.prometheus.value('fleet_workers{state="able"}') == 1, seconds=_TOLD_SECONDS)
        watched.fleet.worker.kill_all()
        for name in ("worker_lost", "no_workers"):
            assert watched.raises(name)["severity"] == "critical"
        stack.enter_context(Worker(watched.fleet.settings, watched.fleet.store, tmp_path, concurrency=2))
        for name in ("worker_lost", "no_workers"):
            watched.clears(name)


def test_memory_above_its_share_alerts_until_it_is_given_back(
    own_redis: RedisServer, tmp_path: Path, pages: PagesServer
) -> None:
    with ExitStack() as stack:
        watched = watched_fleet(stack, tmp_path, own_redis, memory_limit_mb=limit_for_an_alert(own_redis, tmp_path))
        held = []
        while not is_short_of_memory(watched):
            session_id, creation = watched.fleet.create_session(url=f"{pages.url}/plain", scripts=[_KEEPS_20_MB])
            held.append(session_id)
            # From 80 % on it waits until there is room.
            eventually(partial(is_done_or_short, watched, creation), seconds=_TOLD_SECONDS)
            wait_for_report(watched)
        assert watched.raises("memory_high")["severity"] == "warning"
        for session_id in held:
            watched.fleet.delete(session_id)
        watched.clears("memory_high")


def is_short_of_memory(watched: WatchedFleet) -> bool:
    report = watched.report()
    return report.memory_bytes > 0.8 * report.memory_limit_bytes


def is_done_or_short(watched: WatchedFleet, job_id: str) -> bool:
    return watched.fleet.job(job_id).is_finished or is_short_of_memory(watched)


def wait_for_report(watched: WatchedFleet) -> None:
    before = watched.report().reported_at
    eventually(lambda: watched.report().reported_at > before, seconds=_TOLD_SECONDS)


def limit_for_an_alert(redis: RedisServer, folder: Path) -> int:
    """In MB: a worker is far from it while it is idle, and beyond 80 % of it with a few sessions."""
    settings = Settings(redis_url=redis.url, artifacts_url=f"file:{folder / 'artifacts'}", memory_limit_mb=16_384)
    store = open_store(settings, retries=14)
    with Worker(settings, store, folder, concurrency=2, label="measured") as worker:
        fleet = RunningFleet(settings, store, worker)
        fleet.end_of(fleet.capture(html="<p>All is started"))
        (before,) = store.workers.alive()
        eventually(lambda: store.workers.alive()[0].reported_at > before.reported_at, seconds=_TOLD_SECONDS)
        (report,) = store.workers.alive()
    store.client.close()
    return int(report.memory_bytes / MB / 0.6)
