"""Who waits in a shared queue, in order of arrival: for positions and for the limit on the queue."""

import contextlib
from datetime import datetime
from typing import cast

from fleet import keys
from fleet.alerts import QUEUE_HIGH
from fleet.clock import utc_now
from fleet.errors import StoreUnavailable
from fleet.queues import SHARED_QUEUES, SharedQueue
from fleet.store.connection import RedisClient, script

_MICROSECONDS = 1_000_000


class WaitingStore:
    def __init__(self, client: RedisClient, *, limit: int, job_ttl_seconds: int) -> None:
        self._client = client
        self.limit = limit
        self._job_ttl_seconds = job_ttl_seconds
        self._join = script(client, "join_queue")

    def try_join(self, queue: SharedQueue, job_id: str, at: datetime) -> bool:
        """False: as many wait as the limit allows."""
        score = int(at.timestamp() * _MICROSECONDS)
        oldest = score - self._job_ttl_seconds * _MICROSECONDS
        args: list[str | int] = [score, job_id, self.limit, keys.INDEX_SECONDS, oldest]
        return bool(self._join(keys=[keys.waiting(queue)], args=args))

    def leave(self, queue: SharedQueue, job_id: str) -> None:
        self._client.zrem(keys.waiting(queue), job_id)

    def try_leave(self, queue: SharedQueue, job_id: str) -> None:
        """As `leave`, when the store is already known to fail; a place that stays is trimmed with its job's record."""
        with contextlib.suppress(StoreUnavailable):
            self.leave(queue, job_id)

    def position(self, queue: SharedQueue, job_id: str) -> int | None:
        """1 is next; None: does not wait."""
        rank = cast("int | None", self._client.zrank(keys.waiting(queue), job_id))
        return None if rank is None else rank + 1

    def oldest_seconds(self, queue: SharedQueue) -> float:
        """How long the first one has waited; 0: nobody waits."""
        first = cast("list[tuple[str, float]]", self._client.zrange(keys.waiting(queue), 0, 0, withscores=True))
        return max(0.0, utc_now().timestamp() - first[0][1] / _MICROSECONDS) if first else 0.0

    def since_before(self, queue: SharedQueue, moment: datetime, *, limit: int) -> list[str]:
        """Those that have waited longest, first come first, but for those that came after that moment."""
        latest = int(moment.timestamp() * _MICROSECONDS)
        return cast(
            "list[str]", self._client.zrange(keys.waiting(queue), "-inf", latest, byscore=True, offset=0, num=limit)
        )

    def claim_look(self, queue: SharedQueue) -> bool:
        """Whether the caller is the one worker to look for its lost messages now."""
        return bool(self._client.set(keys.waiting_look(queue), "1", nx=True, ex=keys.LOST_LOOK_SECONDS))

    def length(self, queue: SharedQueue) -> int:
        return self._client.zcard(keys.waiting(queue))

    def look(self) -> None:
        """So that it is noted since when too many wait, whether anybody asks for it or not."""
        with self._client.pipeline(transaction=False) as batch:
            for queue in SHARED_QUEUES:
                batch.zcard(keys.waiting(queue))
                batch.get(keys.waiting_high(queue))
            answers = batch.execute()
        for queue, waiting, since in zip(SHARED_QUEUES, answers[::2], answers[1::2], strict=True):
            self.high_since(queue, waiting, since)

    def high_since(self, queue: SharedQueue, waiting: int, noted: str | None) -> datetime | None:
        """`waiting`, `noted`: as they were just read. The first who sees that too many wait notes since when, for all;
        the first who sees that few enough do takes the note away. None: few enough.
        """
        key = keys.waiting_high(queue)
        if not QUEUE_HIGH.holds(waiting, self.limit, is_raised=noted is not None):
            if noted is not None:
                self._client.delete(key)
            return None
        with self._client.pipeline(transaction=False) as batch:
            batch.set(key, utc_now().isoformat(), nx=True, ex=keys.QUEUE_ALERT_SECONDS)
            batch.expire(key, keys.QUEUE_ALERT_SECONDS)
            batch.get(key)
            # Between the first and the last it may have been taken away.
            return datetime.fromisoformat(batch.execute()[2] or utc_now().isoformat())
