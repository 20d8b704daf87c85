"""How often something may be done, counted in Redis, so that the limit holds over all replicas of the API."""

from dataclasses import dataclass
from math import ceil
from time import time

from limits import parse
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from fleet import keys
from fleet.store.connection import RedisClient, translated_errors


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
        storage = RedisStorage(url, connection_pool=client.connection_pool, key_prefix=keys.RATE_PREFIX)
        self._limiter = MovingWindowRateLimiter(storage)
        self._rate = parse(rate)

    def take(self, who: str) -> Allowance:
        """One more by `who`, if the rate allows it."""
        with translated_errors():
            is_granted = self._limiter.hit(self._rate, who)
            window = self._limiter.get_window_stats(self._rate, who)
        return Allowance(
            is_granted=is_granted,
            limit=self._rate.amount,
            remaining=window.remaining,
            reset_after=max(1, ceil(window.reset_time - time())),
        )
