"""Twenty-five creations at once for twenty slots, and an API that is killed and started again in between."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.redis_server import RedisServer
from tests.integration.worker.api_process import Api
from tests.integration.worker.worker import Worker
from tests.polling import eventually

SLOTS = 10
CREATIONS = 25
PATIENCE = 90

Json = dict[str, Any]


@dataclass
class Fleet:
    api: Api
    store: Store
    workers: list[str]
    # The most sessions that a worker was ever seen with, told by its slots and by itself.
    most: int = field(default=0)

    def create(self, _number: int) -> Json:
        answer = self.api.post("/api/sessions", {})
        assert answer.status_code == 202, answer.text
        created: Json = answer.json()
        return created

    def jobs(self, created: list[Json]) -> list[Json]:
        self._look_at_the_workers()
        return [self.api.get(f"/api/jobs/{one['job']['id']}").json() for one in created]

    def states(self, created: list[Json]) -> Counter[str]:
        return Counter(job["state"] for job in self.jobs(created))

    def _look_at_the_workers(self) -> None:
        held = [len(self.store.slots.holders(name)) for name in self.workers]
        self.most = max(self.most, *held, *(report.sessions for report in self.store.workers.alive()))


@pytest.fixture
def fleet(own_redis: RedisServer, tmp_path: Path) -> Iterator[Fleet]:
    settings = Settings(
        redis_url=own_redis.url,
        artifacts_url=f"file:{tmp_path / 'artifacts'}",
        sessions_per_worker=SLOTS,
        session_rate="1000/minute",
    )
    with ExitStack() as running:
        store = open_store(settings, retries=14)
        running.callback(store.client.close)
        workers = [running.enter_context(Worker(settings, store, tmp_path, label=label)) for label in ("one", "two")]
        api = running.enter_context(Api(settings, tmp_path))
        yield Fleet(api, store, [worker.name for worker in workers])


def test_twenty_run_five_wait_in_order_and_none_is_lost_when_the_api_is_killed_in_between(fleet: Fleet) -> None:
    with ThreadPoolExecutor(CREATIONS) as clients:
        created = list(clients.map(fleet.create, range(CREATIONS)))
    fleet.api.kill()
    fleet.api.start()
    eventually(lambda: fleet.states(created) == {"succeeded": 20, "queued": 5}, seconds=PATIENCE)
    before = fleet.jobs(created)
    fleet.api.kill()
    fleet.api.start()
    after = fleet.jobs(created)

    assert after == before
    assert [(job["id"], job["kind"], job["session_id"]) for job in after] == [
        (one["job"]["id"], "session.create", one["session"]["id"]) for one in created
    ]
    waiting = sorted((job for job in after if job["state"] == "queued"), key=lambda job: str(job["queued_at"]))
    assert [job["position"] for job in waiting] == [1, 2, 3, 4, 5]
    running = [job for job in after if job["state"] == "succeeded"]
    assert {(job["position"], job["attempts"]) for job in running} == {(None, 1)}
    assert Counter(job["worker"] for job in running) == dict.fromkeys(fleet.workers, SLOTS)

    for job in running[:5]:
        assert fleet.api.delete(f"/api/sessions/{job['session_id']}").status_code == 202
    eventually(lambda: fleet.states(created) == {"succeeded": CREATIONS}, seconds=PATIENCE)
    assert {job["attempts"] for job in fleet.jobs(created)} == {1}
    assert fleet.most == SLOTS
