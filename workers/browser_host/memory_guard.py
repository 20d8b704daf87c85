"""What a worker does as its memory runs short: takes no more sessions, has Chrome drop what it keeps only to be faster,
parks idle sessions, ends the largest.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from workers.browser_host.node_usage import NodeUsage

_log = structlog.get_logger(__name__)

# Shares of the worker's limit. The gap between the first two keeps the worker from coming and going.
_ADMIT_BELOW = 0.75
_ADMIT_NONE_FROM = 0.80
_PARK_FROM = 0.90
_END_FROM = 0.95
# Dropping costs Chrome a collection in every page; more often it would find little.
_DROP_APART_SECONDS = 60.0
# Chrome gives memory back some time after a context was closed.
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Relief:
    """`park_bytes`: what idle contexts should give back."""

    drop_caches: bool = False
    park_bytes: int = 0
    end_largest: bool = False


class MemoryPressure:
    """Decides from one measurement after the other; acts on none."""

    def __init__(self) -> None:
        self._is_high = False
        self._dropped_at = -_DROP_APART_SECONDS

    @property
    def admits_sessions(self) -> bool:
        return not self._is_high

    def look(self, usage: NodeUsage) -> Relief:
        self._follow(usage)
        if usage.share >= _END_FROM:
            return Relief(end_largest=True)
        if usage.share >= _ADMIT_NONE_FROM and usage.measured_at - self._dropped_at >= _DROP_APART_SECONDS:
            self._dropped_at = usage.measured_at
            return Relief(drop_caches=True)
        if usage.share >= _PARK_FROM:
            return Relief(park_bytes=usage.memory_bytes - int(_ADMIT_NONE_FROM * usage.memory_limit_bytes))
        return Relief()

    def _follow(self, usage: NodeUsage) -> None:
        turns = usage.share < _ADMIT_BELOW if self._is_high else usage.share >= _ADMIT_NONE_FROM
        if not turns:
            return
        self._is_high = not self._is_high
        say = _log.warning if self._is_high else _log.info
        say(
            "memory runs short: no new sessions" if self._is_high else "memory to spare again",
            memory_mb=usage.memory_bytes // 2**20,
            limit_mb=usage.memory_limit_bytes // 2**20,
            by_part_mb={part: used // 2**20 for part, used in usage.memory_by_part.items()},
        )


class MemoryGuard:
    """One relief at a time, and the next only after a measurement that knows what the last one brought."""

    def __init__(
        self,
        pressure: MemoryPressure,
        *,
        drop_caches: Callable[[], Awaitable[None]],
        park_idle: Callable[[int], Awaitable[None]],
        end_largest: Callable[[], Awaitable[None]],
    ) -> None:
        """`park_idle` takes the bytes that are wanted back."""
        self._pressure = pressure
        self._drop_caches = drop_caches
        self._park_idle = park_idle
        self._end_largest = end_largest
        self._relieving: asyncio.Task[None] | None = None
        self._counts_from = 0.0

    def look(self, usage: NodeUsage) -> None:
        """Starts what is needed and does not wait for it."""
        relief = self._pressure.look(usage)
        if relief == Relief() or self._relieving is not None or usage.measured_at < self._counts_from:
            return
        self._relieving = asyncio.create_task(self._relieve(relief))

    async def stop(self) -> None:
        if self._relieving is not None:
            self._relieving.cancel()
            await asyncio.gather(self._relieving, return_exceptions=True)

    async def _relieve(self, relief: Relief) -> None:
        try:
            await self._action(relief)
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("memory was not relieved")
        finally:
            self._relieving = None
            self._counts_from = time.monotonic() + _SETTLE_SECONDS

    def _action(self, relief: Relief) -> Awaitable[None]:
        if relief.end_largest:
            return self._end_largest()
        return self._drop_caches() if relief.drop_caches else self._park_idle(relief.park_bytes)
