"""How often something may be done, counted in Redis, so that the limit holds over all replicas of the API."""

from dataclasses import dataclass
from math import ceil
from time import time

from limits import parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from fleet import keys
from fleet.errors import StoreUnavailable
from fleet.store.connection import RedisClient


@dataclass(frozen=True)
class Allowance:
    """`reset_after`: seconds until one more is granted."""

    is_granted: bool
    limit: int
    remaining: int
    reset_after: int


class RateStore:
    def __init__(self, client: RedisClient, url: str, *, rate: str) -> None:
        """`rate`: for example `5/minute`."""
        storage = RedisStorage(
            url, connection_pool=client.connection_pool, key_prefix=keys.RATE_PREFIX, wrap_exceptions=True
        )
        self._limiter = MovingWindowRateLimiter(storage)
        self._rate = parse(rate)

    def take(self, who: str) -> Allowance:
        """One more by `who`, if the rate allows it."""
        try:
            is_granted = self._limiter.hit(self._rate, who)
            window = self._limiter.get_window_stats(self._rate, who)
        except StorageError as error:
            raise StoreUnavailable("The store does not answer. Try again in a few seconds.") from error
        return Allowance(
            is_granted=is_granted,
            limit=self._rate.amount,
            remaining=window.remaining,
            reset_after=max(1, ceil(window.reset_time - time())),
        )
