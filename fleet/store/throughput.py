"""How fast each shared queue and each batch moves, measured over the last minute."""

from typing import Final, cast

from fleet import keys
from fleet.clock import utc_now
from fleet.store.connection import RedisClient

# Not a queue: the jobs that are of no batch, whichever way they came.
SINGLE_JOBS: Final = "single"
_BUCKET_SECONDS = 10
_BUCKETS = 6


class ThroughputStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def count(self, *names: str) -> None:
        """One job has left that queue, one item of that batch has ended, or one single job has begun."""
        bucket = self._bucket()
        with self._client.pipeline(transaction=False) as batch:
            for key in [keys.throughput(name, bucket) for name in names]:
                batch.incr(key)
                batch.expire(key, (_BUCKETS + 1) * _BUCKET_SECONDS)
            batch.execute()

    def per_second(self, name: str, *, seconds: float = _BUCKETS * _BUCKET_SECONDS) -> float:
        """0 if nothing moved in the last minute. `seconds`: since when it moves, if that is less."""
        return self._recent(name, _BUCKETS) / min(max(seconds, 1.0), _BUCKETS * _BUCKET_SECONDS)

    def has_moved(self, name: str) -> bool:
        """Within the last ten to twenty seconds."""
        return self._recent(name, 2) > 0

    def _recent(self, name: str, buckets: int) -> int:
        newest = self._bucket()
        names = [keys.throughput(name, newest - age) for age in range(buckets)]
        with self._client.pipeline(transaction=False) as batch:
            for key in names:
                batch.get(key)
            counts = cast("list[str | None]", batch.execute())
        return sum(int(count) for count in counts if count)

    @staticmethod
    def _bucket() -> int:
        return int(utc_now().timestamp()) // _BUCKET_SECONDS
