"""/metrics of a worker: what its processes count together, and what its host measures."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.models.job import JobState
from fleet.models.worker import WorkerReport
from fleet.settings import Settings
from fleet.store import open_store
from tests.integration.promtool import promtool
from tests.integration.redis_server import RedisServer
from tests.integration.worker.processes import chrome_under, kill
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.worker import Worker
from tests.pages.server import PagesServer
from tests.polling import eventually
from tests.scrape import Scrape, sample_names
from workers import metrics

_COME_BACK_SECONDS = 60


def report_of(fleet: RunningFleet) -> WorkerReport:
    (report,) = fleet.store.workers.alive()
    return report


def scrape(fleet: RunningFleet) -> Scrape:
    address = report_of(fleet).metrics_address
    assert address is not None
    return Scrape.of(address)


def counted(fleet: RunningFleet, name: str, **labels: str) -> float:
    return scrape(fleet).value(name, **labels) or 0.0


def capture(fleet: RunningFleet) -> None:
    job = fleet.end_of(fleet.capture(html="<p>"))
    assert job.state is JobState.SUCCEEDED, job.error


def run_with_a_death(fleet: RunningFleet, pages: PagesServer, *, gate: str) -> None:
    job_id = fleet.capture(f"{pages.url}/gate/{gate}")
    eventually(lambda: fleet.runs(job_id), seconds=30)
    child = eventually(lambda: fleet.worker.child_of(job_id), seconds=30)
    assert child is not None
    kill([child])
    pages.open_gate(gate)
    assert fleet.end_of(job_id).attempts == 2


def is_there(fleet: RunningFleet, name: str, least: float, **labels: str) -> Callable[[], bool]:
    """For `eventually`: false also while the host is away."""

    def look() -> bool:
        reports = fleet.store.workers.alive()
        return bool(reports) and counted(fleet, name, **labels) >= least

    return look


def test_a_job_is_counted_with_its_outcome_its_wait_and_its_stages(fleet: RunningFleet, pages: PagesServer) -> None:
    before = scrape(fleet)
    names = ("fleet_job_duration_seconds_count", "fleet_job_wait_seconds_count")
    capture(fleet)
    refused = fleet.end_of(fleet.capture("http://192.0.2.1/"))
    assert refused.error is not None
    after = scrape(fleet)

    def more(name: str, **labels: str) -> float:
        return (after.value(name, **labels) or 0) - (before.value(name, **labels) or 0)

    assert more(names[0], kind="capture", outcome="succeeded") == 1
    assert more(names[0], kind="capture", outcome=refused.error.code) == 1
    assert more(names[1], kind="capture") == 2
    stages = ("queue", "navigate", "settle", "capture", "store")
    assert [more("fleet_capture_stage_duration_seconds_count", stage=stage) for stage in stages] == [1] * 5


def test_connections_that_the_egress_policy_refuses_are_counted(fleet: RunningFleet, pages: PagesServer) -> None:
    before = counted(fleet, "fleet_egress_blocked_total")
    fleet.end_of(fleet.capture("http://10.0.0.1/"))

    assert counted(fleet, "fleet_egress_blocked_total") > before


def test_a_session_that_is_deleted_and_one_whose_time_runs_out_are_counted_by_reason(fleet: RunningFleet) -> None:
    before = {reason: counted(fleet, "fleet_sessions_ended_total", reason=reason) for reason in ("deleted", "idle")}
    fleet.session(ttl=1)
    fleet.end_of(fleet.delete(fleet.session()))

    assert counted(fleet, "fleet_sessions_ended_total", reason="deleted") == before["deleted"] + 1
    eventually(is_there(fleet, "fleet_sessions_ended_total", before["idle"] + 1, reason="idle"), seconds=30)


def test_a_worker_serves_what_is_declared_with_the_declared_labels(fleet: RunningFleet) -> None:
    capture(fleet)
    fleet.session()
    declared = sample_names(metrics.MANIFEST)
    served = {sample.name: frozenset(sample.labels) for sample in scrape(fleet).samples()}

    assert {name: labels for name, labels in served.items() if declared.get(name) != labels} == {}
    # No job has been run a second time.
    assert declared.keys() - served.keys() == {"fleet_job_reruns_total"}


def test_what_a_worker_serves_passes_the_checks_of_prometheus(fleet: RunningFleet) -> None:
    capture(fleet)

    promtool("check", "metrics", stdin=scrape(fleet).text)


def test_no_label_names_a_session_or_a_job(fleet: RunningFleet) -> None:
    session_id = fleet.session()
    job_id = fleet.capture_in(session_id, html="<p>")
    fleet.end_of(job_id)
    text = scrape(fleet).text

    assert [one for one in (session_id, job_id) if one in text] == []


def test_the_numbers_of_the_report_and_of_the_scrape_are_the_same(fleet: RunningFleet) -> None:
    def compared() -> bool:
        before, scraped, after = report_of(fleet), scrape(fleet), report_of(fleet)
        if before != after:
            return False
        return (
            scraped.value("fleet_worker_memory_bytes") == before.memory_bytes
            and scraped.value("fleet_worker_memory_limit_bytes") == before.memory_limit_bytes
            and scraped.value("fleet_worker_sessions") == before.sessions
            and scraped.value("fleet_worker_info", worker=before.name) == 1
        )

    eventually(compared, seconds=30)


def test_what_a_pool_child_has_counted_outlives_it_and_the_next_child_goes_on(
    own_fleet: RunningFleet, pages: PagesServer
) -> None:
    for _ in range(8):
        capture(own_fleet)
    folder = next(own_fleet.worker.temporary.glob("fleet-host-*/metrics"))
    files = {path.name for path in folder.iterdir()}
    # Each of the children that are there dies with a job in hand, which another one runs.
    for number in range(4):
        run_with_a_death(own_fleet, pages, gate=f"death-{number}")
    for _ in range(8):
        capture(own_fleet)

    assert counted(own_fleet, "fleet_job_duration_seconds_count", outcome="succeeded") == 20
    assert scrape(own_fleet).value("fleet_worker_jobs_running") == 0
    places = {name.partition("_")[2] for name in files | {path.name for path in folder.iterdir()}}
    assert places <= {"parent.db", "host.db", *(f"child-{number}.db" for number in range(1, 5))}


def test_counts_outlive_the_host_and_say_why_it_and_chrome_were_replaced(own_fleet: RunningFleet) -> None:
    session_id = own_fleet.session()
    capture(own_fleet)
    kill(chrome_under(own_fleet.worker.host()))
    eventually(is_there(own_fleet, "fleet_worker_chrome_restarts_total", 1, reason="died"), seconds=_COME_BACK_SECONDS)
    eventually(is_there(own_fleet, "fleet_sessions_restored_total", 1), seconds=_COME_BACK_SECONDS)
    address, started = report_of(own_fleet).metrics_address, report_of(own_fleet).started_at
    kill([own_fleet.worker.host()])
    eventually(
        lambda: report_of(own_fleet).metrics_address != address if own_fleet.store.workers.alive() else False,
        seconds=_COME_BACK_SECONDS,
    )
    eventually(is_there(own_fleet, "fleet_sessions_restored_total", 2), seconds=_COME_BACK_SECONDS)

    after = scrape(own_fleet)
    assert after.value("fleet_worker_host_restarts_total", reason="died") == 1
    assert after.value("fleet_worker_chrome_restarts_total", reason="died") == 1
    assert after.value("fleet_job_duration_seconds_count", kind="capture", outcome="succeeded") == 1
    session = own_fleet.store.sessions.get(session_id)
    assert session is not None
    assert session.generation == 3
    eventually(lambda: report_of(own_fleet).sessions_restored == 2, seconds=30)
    report = report_of(own_fleet)
    assert (report.started_at, report.host_restarts, report.chrome_restarts) == (started, 1, {"died": 1})


def test_a_worker_answers_while_redis_is_away_and_says_so(own_redis: RedisServer, tmp_path: Path) -> None:
    settings = Settings(redis_url=own_redis.url, artifacts_url=f"file:{tmp_path / 'artifacts'}", memory_limit_mb=16_384)
    store = open_store(settings, retries=0)
    with Worker(settings, store, tmp_path, concurrency=1):
        (report,) = store.workers.alive()
        address = report.metrics_address or ""
        eventually(lambda: Scrape.of(address).value("fleet_worker_store_up") == 1)
        own_redis.stop()
        eventually(lambda: Scrape.of(address).value("fleet_worker_store_up") == 0, seconds=60)
        assert Scrape.of(address).value("fleet_worker_memory_bytes") == pytest.approx(report.memory_bytes, rel=0.5)
        own_redis.start()
        eventually(lambda: Scrape.of(address).value("fleet_worker_store_up") == 1, seconds=60)
    store.client.close()
