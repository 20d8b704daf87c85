"""What the pages of each session take in memory, as Chrome's JavaScript engine counts it.

Measured of sessions that were used since the last time; a page that does not answer is tried again later.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from fleet.store.sessions import SessionStore
from workers.browser_host.sessions import HeldSession

# A page with an endless loop answers nothing until the loop ends.
_PAGE_SECONDS = 1.0
_DETACH_SECONDS = 1.0
_APART_SECONDS = 15.0
_PAGES_MAX = 20
# Of the sessions that were largest, when one of them is to end.
_AGAIN_MAX = 3


class SessionMemory:
    def __init__(self, sessions: SessionStore, *, apart_seconds: float = _APART_SECONDS) -> None:
        """`apart_seconds`: between two measurements of one session."""
        self._sessions = sessions
        self._apart_seconds = apart_seconds
        self._measured_at: dict[str, float] = {}
        self._bytes: dict[str, int] = {}

    async def measure(self, sessions: Iterable[HeldSession]) -> None:
        """All sessions that are due, one page after the other, and notes what was found. Forgets all others."""
        held = {session.id: session for session in sessions if session.opened is not None}
        self._measured_at = {key: at for key, at in self._measured_at.items() if key in held}
        self._bytes = {key: size for key, size in self._bytes.items() if key in held}
        for session_id, session in held.items():
            if self._is_due(session_id, session):
                await self._measure(session_id, session)

    async def measure_largest(self, sessions: Iterable[HeldSession]) -> None:
        """Those that were largest, once more and without garbage: they may have given back what they took then."""
        held = {session.id: session for session in sessions if session.opened is not None}
        largest = [session_id for session_id, _ in self.largest_first() if session_id in held]
        for session_id in largest[:_AGAIN_MAX]:
            await self._measure(session_id, held[session_id], without_garbage=True)

    def largest_first(self) -> list[tuple[str, int]]:
        """Ids of the sessions that were measured, each with its bytes."""
        return sorted(self._bytes.items(), key=lambda measured: -measured[1])

    def _is_due(self, session_id: str, session: HeldSession) -> bool:
        last = self._measured_at.get(session_id)
        return last is None or (session.used_at > last and time.monotonic() - last >= self._apart_seconds)

    async def _measure(self, session_id: str, session: HeldSession, *, without_garbage: bool = False) -> None:
        self._measured_at[session_id] = time.monotonic()
        pages = session.opened.context.pages[:_PAGES_MAX] if session.opened else []
        sizes = [await _page_bytes(page, without_garbage=without_garbage) for page in pages]
        known = [size for size in sizes if size is not None]
        if len(known) < len(sizes):
            # The part that answered would pass for the whole.
            session.used_at = time.monotonic()
            return
        self._bytes[session_id] = sum(known)
        await asyncio.to_thread(self._sessions.note_memory, session_id, sum(known))


async def _page_bytes(page: Page, *, without_garbage: bool) -> int | None:
    """None: it does not answer, or is gone."""
    with suppress(PlaywrightError, TimeoutError):
        async with asyncio.timeout(_PAGE_SECONDS):
            cdp = await page.context.new_cdp_session(page)
        try:
            async with asyncio.timeout(_PAGE_SECONDS):
                if without_garbage:
                    await cdp.send("HeapProfiler.collectGarbage")
                usage = await cdp.send("Runtime.getHeapUsage")
        finally:
            with suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(_DETACH_SECONDS):
                    await cdp.detach()
        return int(usage["usedSize"] + usage["embedderHeapUsedSize"] + usage["backingStorageSize"])
    return None
