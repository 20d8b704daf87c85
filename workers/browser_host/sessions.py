"""The sessions that this host holds. A session's context may be gone for a while: its next use rebuilds it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from playwright.async_api import Page

from fleet.errors import BrowserUnavailable, FleetError, SessionEnded, WorkerFull
from fleet.models.session import SessionRequest
from fleet.models.waits import Goto
from workers.browser_host.chrome import Chrome
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.navigation import goto
from workers.browser_host.open_context import ContextOpener, OpenContext


class HeldSession:
    """`opened` is None while it has no context. Whoever works on its context holds `busy`."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.opened: OpenContext | None = None
        # Of `opened`; the store has a higher one if the session has been elsewhere since.
        self.generation = 1
        self.busy = asyncio.Lock()
        self.in_use = False
        # A Chrome died while a job of this session ran, which nobody has counted yet.
        self.crashed = False
        # In which its last job found that it does not answer any more: mostly sooner than anybody else.
        self.failed_in: Chrome | None = None
        # Of the monotonic clock.
        self.used_at = time.monotonic()
        # The checkpoint that is being taken or due, and when the next one may begin (monotonic).
        self.checkpointing: asyncio.Task[None] | None = None
        self.checkpoint_after = 0.0


Rebuild = Callable[[HeldSession], Awaitable[OpenContext]]
Readopt = Callable[[HeldSession], Awaitable[bool]]
AfterUse = Callable[[HeldSession], None]


class Sessions:
    def __init__(  # noqa: PLR0913  # what it opens with, its limit, and four calls
        self,
        opener: ContextOpener,
        egress: EgressProxy,
        *,
        limit: int,
        rebuild: Rebuild,
        readopt: Readopt,
        after_use: AfterUse,
        on_change: Callable[[], None],
    ) -> None:
        """`rebuild` makes a context for a held session that has none; `readopt` tells whether the one that it has is
        still the session's; `after_use` is called when a job is done, `on_change` when others are held than before.
        """
        self._opener = opener
        self._egress = egress
        self._limit = limit
        self._rebuild = rebuild
        self._readopt = readopt
        self._after_use = after_use
        self._on_change = on_change
        self._held: dict[str, HeldSession] = {}

    @property
    def ids(self) -> list[str]:
        return list(self._held)

    @property
    def all(self) -> list[HeldSession]:
        return list(self._held.values())

    async def open(self, session_id: str, request: SessionRequest, scripts: dict[str, str]) -> Page:
        """A fresh context with one page. Opening an open session again gives it a new context.

        Raises WorkerFull, InvalidRequest, BrowserUnavailable, or the PageError of its `url`.
        """
        await self.close(session_id)
        if len(self._held) >= self._limit:
            raise WorkerFull(f"This worker holds {self._limit} sessions, its limit. Try again later.")
        held = self._held[session_id] = HeldSession(session_id)
        self._on_change()
        try:
            async with self._working_on(held):
                opened = await self._opener.open(session_id, request, scripts)
                await self._give(held, opened)
                page = await opened.ensure_page()
                if request.url is not None:
                    await goto(page, request.url, Goto(), self._egress)
                    opened.chrome.idle.begin(page)
        except BaseException:
            await self.close(session_id)
            raise
        return page

    @asynccontextmanager
    async def using(self, session_id: str) -> AsyncIterator[OpenContext]:
        """The session's context for one job, rebuilt if need be.

        Raises SessionEnded if the store has no such session for this worker, BrowserUnavailable if its context
        cannot be rebuilt now.
        """
        held = self._hold(session_id)
        async with self._working_on(held):
            opened = await self._context_of(held)
            try:
                yield opened
            except BrowserUnavailable:
                held.failed_in = opened.chrome
                raise
            finally:
                self._after_use(held)

    async def restore(self, session_id: str) -> None:
        """This worker has been asked to take it over; it may be the one that had it all the time.

        Raises as `using` does.
        """
        held = self._hold(session_id)
        async with self._working_on(held):
            if held.opened is not None and not await self._readopt(held):
                await self.park(held)
            await self._context_of(held)

    async def _context_of(self, held: HeldSession) -> OpenContext:
        """The caller holds `busy`."""
        if held.opened is None:
            try:
                await self._give(held, await self._rebuild(held))
            except SessionEnded:
                if self._held.get(held.id) is held:
                    self._let_go(held.id)
                raise
        assert held.opened is not None  # noqa: S101  # just given
        return held.opened

    @asynccontextmanager
    async def _working_on(self, held: HeldSession) -> AsyncIterator[None]:
        async with held.busy:
            held.in_use = True
            try:
                yield
            finally:
                held.in_use = False
                held.used_at = time.monotonic()

    async def _give(self, held: HeldSession, opened: OpenContext) -> None:
        """Raises SessionEnded if the session was closed while its context was being opened, BrowserUnavailable if its
        Chrome died meanwhile: `lose` did not know of the context yet.
        """
        if self._held.get(held.id) is not held:
            await opened.close()
            raise SessionEnded("The session ended while its browser context was opened.", end_reason="deleted")
        if not opened.chrome.is_running:
            opened.abandon()
            raise BrowserUnavailable("Chrome died while the session's browser context was opened.")
        held.opened = opened

    async def ensure_open(self, session_id: str) -> None:
        """Rebuilds it now rather than at its next use. What hinders that is told at its next use."""
        try:
            async with self.using(session_id):
                pass
        except FleetError:
            pass

    def expect(self, session_id: str) -> None:
        """This host is to hold the session, whose context is still to be rebuilt."""
        self._hold(session_id)

    def _hold(self, session_id: str) -> HeldSession:
        if session_id not in self._held:
            self._held[session_id] = HeldSession(session_id)
            self._on_change()
        return self._held[session_id]

    def _let_go(self, session_id: str) -> HeldSession | None:
        held = self._held.pop(session_id, None)
        if held is not None:
            self._on_change()
        return held

    def get(self, session_id: str) -> HeldSession | None:
        return self._held.get(session_id)

    async def is_free(self, session_id: str, *, within: float) -> bool:
        """Whether nobody works on its context, after so many seconds at most."""
        held = self._held.get(session_id)
        if held is None:
            return True
        try:
            async with asyncio.timeout(within), held.busy:
                return True
        except TimeoutError:
            return False

    def is_held(self, session_id: str) -> bool:
        return session_id in self._held

    async def close(self, session_id: str) -> bool:
        """False if it was not held."""
        held = self._let_go(session_id)
        if held is None:
            return False
        opened, held.opened = held.opened, None
        if opened is not None:
            await opened.close()
        return True

    async def park(self, held: HeldSession) -> None:
        """Closes the context of a session that is still held. The caller holds `busy` and has a checkpoint of it."""
        opened, held.opened = held.opened, None
        if opened is not None:
            await opened.close()

    def lose(self, chrome: Chrome) -> list[HeldSession]:
        """Forgets the contexts that died with their Chrome; the sessions that had them."""
        lost = [held for held in self._held.values() if _was_in(held, chrome)]
        for held in lost:
            held.crashed = held.in_use or held.failed_in is chrome
            held.failed_in = None
            if held.opened is not None:
                held.opened.abandon()
                held.opened = None
        return lost


def _was_in(held: HeldSession, chrome: Chrome) -> bool:
    """One whose context is just being opened is in whichever Chrome runs."""
    return held.in_use if held.opened is None else held.opened.chrome is chrome
