"""Two workers of ten slots: no more sessions than slots, and what waits runs as others end."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fleet.models.job import JobState
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.redis_server import RedisServer
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.worker import Worker
from tests.polling import eventually

SLOTS = 10


@pytest.fixture
def two_workers(own_redis: RedisServer, tmp_path: Path) -> Iterator[RunningFleet]:
    settings = Settings(
        redis_url=own_redis.url, artifacts_url=f"file:{tmp_path / 'artifacts'}", sessions_per_worker=SLOTS
    )
    store = open_store(settings, retries=14)
    with ExitStack() as running:
        first, _ = (running.enter_context(Worker(settings, store, tmp_path, label=label)) for label in ("one", "two"))
        yield RunningFleet(settings, store, first)
    store.client.close()


def states(fleet: RunningFleet, jobs: list[str]) -> Counter[JobState]:
    return Counter(fleet.job(job_id).state for job_id in jobs)


def held(store: Store) -> list[int]:
    return sorted(report.sessions for report in store.workers.alive())


def test_twenty_five_creations_fill_twenty_slots_and_the_rest_run_as_others_end(two_workers: RunningFleet) -> None:
    fleet = two_workers
    created = [fleet.create_session() for _ in range(25)]
    jobs = [job_id for _, job_id in created]
    eventually(lambda: states(fleet, jobs) == {JobState.SUCCEEDED: 20, JobState.QUEUED: 5}, seconds=60)
    eventually(lambda: held(fleet.store) == [SLOTS, SLOTS], seconds=20)
    running = [session_id for session_id, job_id in created if fleet.job(job_id).state is JobState.SUCCEEDED]
    for session_id in running[:5]:
        fleet.delete(session_id)
    eventually(lambda: states(fleet, jobs) == {JobState.SUCCEEDED: 25}, seconds=60)
    eventually(lambda: held(fleet.store) == [SLOTS, SLOTS], seconds=20)


def test_a_full_worker_goes_on_with_captures(two_workers: RunningFleet) -> None:
    fleet = two_workers
    jobs = [fleet.create_session()[1] for _ in range(21)]
    eventually(lambda: states(fleet, jobs)[JobState.SUCCEEDED] == 20, seconds=60)
    assert fleet.end_of(fleet.capture(html="<p>Room for this")).state is JobState.SUCCEEDED
