"""The workers that are alive: each renews its own lease, and is gone when the lease runs out."""

from typing import cast

from fleet import keys
from fleet.clock import utc_now
from fleet.models.worker import WorkerReport
from fleet.store.connection import RedisClient


class WorkerStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def renew(self, report: WorkerReport) -> None:
        now = report.reported_at.timestamp()
        with self._client.pipeline(transaction=False) as batch:
            batch.set(keys.worker(report.name), report.model_dump_json(), ex=keys.WORKER_LEASE_SECONDS)
            batch.zadd(keys.WORKER_INDEX, {report.name: now})
            batch.zremrangebyscore(keys.WORKER_INDEX, "-inf", now - keys.WORKER_LEASE_SECONDS)
            batch.expire(keys.WORKER_INDEX, keys.INDEX_SECONDS)
            batch.execute()

    def leave(self, name: str) -> None:
        with self._client.pipeline(transaction=False) as batch:
            batch.delete(keys.worker(name))
            batch.zrem(keys.WORKER_INDEX, name)
            batch.execute()

    def are_any_alive(self) -> bool:
        oldest = utc_now().timestamp() - keys.WORKER_LEASE_SECONDS
        return int(self._client.zcount(keys.WORKER_INDEX, oldest, "+inf")) > 0

    def admits_sessions(self, name: str) -> bool:
        """What the worker last said of itself; True if it has said nothing."""
        report = cast("str | None", self._client.get(keys.worker(name)))
        return report is None or WorkerReport.model_validate_json(report).admits_sessions

    def alive(self) -> list[WorkerReport]:
        names = cast("list[str]", self._client.zrange(keys.WORKER_INDEX, 0, -1))
        with self._client.pipeline(transaction=False) as batch:
            for name in names:
                batch.get(keys.worker(name))
            return [WorkerReport.model_validate_json(report) for report in batch.execute() if report]
