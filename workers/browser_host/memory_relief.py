"""What a host does when memory runs short; workers/browser_host/memory_guard.py decides when."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from fleet.models.session import EndReason
from fleet.store.sessions import SessionStore
from workers.browser_host.checkpoints import Checkpoints
from workers.browser_host.chrome_keeper import ChromeKeeper
from workers.browser_host.session_memory import SessionMemory
from workers.browser_host.sessions import Sessions
from workers.metrics import WorkerCounts

_log = structlog.get_logger(__name__)

# Of the worker's memory. Where no session takes that much, it is many small ones that do.
_WORTH_ENDING_SHARE = 0.1
# From where a session is ended to where sessions are admitted again.
_PARK_SHARE = 0.15
# A page's process takes up to that many times what its session is known to keep.
_PROCESS_FACTOR = 3


class MemoryRelief:
    def __init__(  # noqa: PLR0913  # all that a session touches
        self,
        keeper: ChromeKeeper,
        sessions: Sessions,
        checkpoints: Checkpoints,
        sizes: SessionMemory,
        store: SessionStore,
        *,
        counts: WorkerCounts,
        memory_limit_bytes: int,
        close_ended: Callable[[str], Awaitable[None]],
    ) -> None:
        self._keeper = keeper
        self._sessions = sessions
        self._checkpoints = checkpoints
        self._sizes = sizes
        self._store = store
        self._counts = counts
        self._memory_limit_bytes = memory_limit_bytes
        self._close_ended = close_ended

    async def drop_caches(self) -> None:
        await (await self._keeper.current()).drop_caches()

    async def park_idle(self, bytes_wanted: int) -> None:
        """Those that were not used for longest first; their next use rebuilds them."""
        sizes = dict(self._sizes.largest_first())
        idle = [held for held in self._sessions.all if held.opened is not None and not held.busy.locked()]
        for held in sorted(idle, key=lambda held: held.used_at):
            if bytes_wanted <= 0:
                return
            async with held.busy:
                await self._checkpoints.take(held)
                await self._sessions.park(held)
            self._counts.sessions_parked.labels("memory").inc()
            _log.warning("session parked: memory runs short", session=held.id)
            bytes_wanted -= sizes.get(held.id, 0)

    async def end_largest(self) -> None:
        """The largest page where that is no session's as far as can be told: its session, if it has one, goes on."""
        await self._sizes.measure_largest(self._sessions.all)
        session_id, size = self._largest()
        chrome = await self._keeper.current()
        if chrome.end_largest_page(beyond_bytes=_PROCESS_FACTOR * size):
            return
        if session_id is None or size < _WORTH_ENDING_SHARE * self._memory_limit_bytes:
            # What took the memory is gone already, or the end of any session would bring little.
            await self.park_idle(int(_PARK_SHARE * self._memory_limit_bytes))
            return
        _log.error("session ended: memory runs out", session=session_id, memory_bytes=size)
        await asyncio.to_thread(self._store.end, session_id, EndReason.MEMORY)
        await self._close_ended(session_id)

    def _largest(self) -> tuple[str | None, int]:
        held = {held.id for held in self._sessions.all if held.opened is not None}
        return next(((one, size) for one, size in self._sizes.largest_first() if one in held), (None, 0))
