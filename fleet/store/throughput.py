"""How fast each shared queue moves, measured over the last minute: for a Retry-After that means something."""

from typing import cast

from fleet import keys
from fleet.clock import utc_now
from fleet.queues import SharedQueue
from fleet.store.connection import RedisClient

_BUCKET_SECONDS = 10
_BUCKETS = 6


class ThroughputStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def count(self, queue: SharedQueue) -> None:
        """One job of that queue has left it."""
        key = keys.throughput(queue, self._bucket())
        with self._client.pipeline(transaction=False) as batch:
            batch.incr(key)
            batch.expire(key, (_BUCKETS + 1) * _BUCKET_SECONDS)
            batch.execute()

    def per_second(self, queue: SharedQueue) -> float:
        """0 if none has left it for a minute."""
        newest = self._bucket()
        names = [keys.throughput(queue, newest - age) for age in range(_BUCKETS)]
        with self._client.pipeline(transaction=False) as batch:
            for name in names:
                batch.get(name)
            counts = cast("list[str | None]", batch.execute())
        return sum(int(count) for count in counts if count) / (_BUCKETS * _BUCKET_SECONDS)

    @staticmethod
    def _bucket() -> int:
        return int(utc_now().timestamp()) // _BUCKET_SECONDS
