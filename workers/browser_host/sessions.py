"""The contexts that this host holds, one for each session, each with the one page that captures use."""

import asyncio
from dataclasses import dataclass

from playwright.async_api import BrowserContext, Page

from fleet.errors import SessionEnded, WorkerFull
from fleet.models.capture import Goto
from fleet.models.session import SessionRequest
from workers.browser_host.chrome import Chrome, close_context
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.navigation import goto
from workers.browser_host.popups import close_page
from workers.browser_host.renderer import answers
from workers.browser_host.response_recorder import ResponseRecorder, ResponseRecorders
from workers.browser_host.scripts import ContextScripts


@dataclass
class HeldSession:
    """`page` is None after a capture that left it in an unknown state; the next one gets a new page."""

    chrome: Chrome
    context: BrowserContext
    scripts: ContextScripts
    page: Page | None = None
    recorder: ResponseRecorder | None = None

    async def ensure_page(self) -> Page:
        if self.page is not None and not await answers(self.page):
            await self.discard_page()
        if self.page is None or self.page.is_closed():
            page = self.page = await self.chrome.new_page(self.context)
            page.once("crash", self._forget)
            return page
        return self.page

    def _forget(self, page: Page) -> None:
        """A page may also die while no capture watches it."""
        if self.page is page:
            self.page = None

    def stop_recording(self) -> None:
        if self.recorder is not None:
            self.recorder.stop()

    async def discard_page(self) -> None:
        page, self.page = self.page, None
        if page is not None:
            await close_page(page)


class Sessions:
    def __init__(self, chrome: Chrome, egress: EgressProxy, *, limit: int, recorders: ResponseRecorders) -> None:
        self._chrome = chrome
        self._egress = egress
        self._limit = limit
        self._recorders = recorders
        self._held: dict[str, HeldSession] = {}
        self._opening: set[str] = set()

    @property
    def ids(self) -> list[str]:
        return list(self._held)

    @property
    def ids_with_opening(self) -> list[str]:
        return [*self._held, *self._opening]

    @property
    def count(self) -> int:
        """Sessions held or being opened: both take room."""
        return len(self._held) + len(self._opening)

    async def open(self, session_id: str, request: SessionRequest, scripts: dict[str, str]) -> Page:
        """A fresh context with one page. Opening an open session again gives it a new context.

        Raises WorkerFull, InvalidRequest, BrowserUnavailable, or the PageError of its `url`.
        """
        await self.close(session_id)
        if self.count >= self._limit:
            raise WorkerFull(f"This worker holds {self._limit} sessions, its limit. Try again later.")
        self._opening.add(session_id)
        try:
            context = await self._chrome.new_context(request)
            held = HeldSession(self._chrome, context, ContextScripts(context))
            self._held[session_id] = held
            held.recorder = self._recorders.start(session_id, held.context, request.record_responses)
        finally:
            self._opening.discard(session_id)
        try:
            await held.scripts.follow(scripts)
            page = await held.ensure_page()
            if request.url is not None:
                await goto(page, request.url, Goto(), self._egress)
                self._chrome.idle.begin(page)
        except BaseException:
            await self.close(session_id)
            raise
        return page

    def get(self, session_id: str) -> HeldSession:
        held = self._held.get(session_id)
        if held is None:
            raise SessionEnded("The session's browser context is gone.", end_reason="crashed")
        return held

    async def close(self, session_id: str) -> bool:
        """False if it was not held."""
        held = self._held.pop(session_id, None)
        if held is None:
            return False
        held.stop_recording()
        await close_context(held.context)
        return True

    async def close_all(self) -> None:
        await asyncio.gather(*(self.close(session_id) for session_id in self.ids))

    def drop_all(self) -> list[str]:
        """Forgets contexts that died with their Chrome; the ids of their sessions."""
        ids = self.ids
        for held in self._held.values():
            held.stop_recording()
        self._held.clear()
        return ids
