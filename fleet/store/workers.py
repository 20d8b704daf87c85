"""The workers that are alive: each renews its own lease, and is lost when the lease runs out."""

from typing import cast

from fleet import keys
from fleet.alerts import WORKER_LOST_STAYS
from fleet.clock import utc_now
from fleet.models.worker import WorkerReport
from fleet.store.connection import RedisClient

# The score of a worker that has left: whatever it did not hand over itself is there for others to take.
_LEFT = 0


class WorkerStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def renew(self, report: WorkerReport) -> bool:
        """False: the lease had run out (or this is the first), so what the worker held may be another's by now."""
        with self._client.pipeline(transaction=False) as batch:
            batch.set(keys.worker(report.name), report.model_dump_json(), ex=keys.WORKER_LEASE_SECONDS, get=True)
            batch.zadd(keys.WORKER_INDEX, {report.name: report.reported_at.timestamp()})
            batch.expire(keys.WORKER_INDEX, keys.INDEX_SECONDS)
            if report.takes_work:
                batch.set(keys.WORKERS_ABLE, report.reported_at.isoformat(), ex=keys.INDEX_SECONDS)
            return batch.execute()[0] is not None

    def note(self, report: WorkerReport) -> None:
        """Tells of it without renewing its lease."""
        self._client.set(keys.worker(report.name), report.model_dump_json(), xx=True, keepttl=True)

    def leave(self, name: str) -> None:
        """It takes no work any more. What it holds is still to be handed over."""
        with self._client.pipeline(transaction=False) as batch:
            batch.delete(keys.worker(name))
            batch.zadd(keys.WORKER_INDEX, {name: _LEFT}, xx=True)
            batch.execute()

    def are_any_alive(self) -> bool:
        return self.count_alive() > 0

    def count_alive(self) -> int:
        return int(self._client.zcount(keys.WORKER_INDEX, self._oldest(), "+inf"))

    def admits_sessions(self, name: str) -> bool:
        """By its own last word, and unless it is to drain. One that has not reported yet does."""
        report, drain = cast("list[str | None]", self._client.mget(keys.worker(name), keys.worker_drain(name)))
        return drain is None and (report is None or WorkerReport.model_validate_json(report).admits_sessions)

    def alive(self) -> list[WorkerReport]:
        names = cast("list[str]", self._client.zrange(keys.WORKER_INDEX, 0, -1))
        with self._client.pipeline(transaction=False) as batch:
            for name in names:
                batch.get(keys.worker(name))
            return [WorkerReport.model_validate_json(report) for report in batch.execute() if report]

    def names(self) -> list[str]:
        """Of those that are alive."""
        return cast("list[str]", self._client.zrangebyscore(keys.WORKER_INDEX, self._oldest(), "+inf"))

    def report(self, name: str) -> WorkerReport | None:
        """None: it is not alive."""
        found = cast("str | None", self._client.get(keys.worker(name)))
        return WorkerReport.model_validate_json(found) if found else None

    def lost(self) -> list[str]:
        """Names of those whose lease has run out, or who have left, and whose estate is still to be handed over."""
        names = self._client.zrangebyscore(keys.WORKER_INDEX, "-inf", f"({self._oldest()}")
        return cast("list[str]", names)

    def claim_estate(self, name: str) -> bool:
        """Whether the caller is the one to hand over what that worker held."""
        if not self._client.set(keys.worker_estate(name), "1", nx=True, ex=keys.ESTATE_SECONDS):
            return False
        self._note_lost(name)
        return True

    def _note_lost(self, name: str) -> None:
        """Its place in the index goes with its estate, before anybody may have looked."""
        reported_at = self._client.zscore(keys.WORKER_INDEX, name)
        if reported_at is None or reported_at == _LEFT:
            return
        with self._client.pipeline(transaction=False) as batch:
            batch.zadd(keys.WORKERS_LOST, {name: reported_at + keys.WORKER_LEASE_SECONDS})
            batch.expire(keys.WORKERS_LOST, WORKER_LOST_STAYS)
            batch.execute()

    def settle_estate(self, name: str) -> None:
        """All that the worker held has been handed over."""
        with self._client.pipeline(transaction=False) as batch:
            # Unless it is back: then its lease says so, and the next renewal lists it again.
            batch.zrem(keys.WORKER_INDEX, name)
            batch.delete(keys.worker_drain(name), keys.worker_estate(name))
            batch.execute()

    def ask_to_drain(self, name: str) -> None:
        self._client.set(keys.worker_drain(name), "1", ex=keys.DRAIN_SECONDS)

    def is_asked_to_drain(self, name: str) -> bool:
        return bool(self._client.exists(keys.worker_drain(name)))

    def begin_anew(self, name: str) -> None:
        """The worker has been started anew: it is not to drain, and what its last life had in hand does not run."""
        self._client.delete(keys.worker_drain(name), keys.worker(name))

    @staticmethod
    def _oldest() -> float:
        return utc_now().timestamp() - keys.WORKER_LEASE_SECONDS
