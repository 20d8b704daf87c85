"""Who waits in a shared queue, in order of arrival: for positions and for the limit on the queue."""

import contextlib
from datetime import datetime
from typing import cast

from fleet import keys
from fleet.errors import StoreUnavailable
from fleet.queues import SharedQueue
from fleet.store.connection import RedisClient, script

_MICROSECONDS = 1_000_000


class WaitingStore:
    def __init__(self, client: RedisClient, *, limit: int, job_ttl_seconds: int) -> None:
        self._client = client
        self._limit = limit
        self._job_ttl_seconds = job_ttl_seconds
        self._join = script(client, "join_queue")

    def try_join(self, queue: SharedQueue, job_id: str, at: datetime) -> bool:
        """False: as many wait as the limit allows."""
        score = int(at.timestamp() * _MICROSECONDS)
        oldest = score - self._job_ttl_seconds * _MICROSECONDS
        args: list[str | int] = [score, job_id, self._limit, keys.INDEX_SECONDS, oldest]
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

    def length(self, queue: SharedQueue) -> int:
        return self._client.zcard(keys.waiting(queue))
