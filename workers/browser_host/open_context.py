"""An open browser context of a session, with the one page that captures use."""

from playwright.async_api import BrowserContext, Page

from fleet.models.session import SessionRequest
from workers.browser_host.chrome import Chrome, close_context
from workers.browser_host.chrome_keeper import ChromeKeeper
from workers.browser_host.popups import close_page
from workers.browser_host.renderer import answers
from workers.browser_host.response_recorder import ResponseRecorder, ResponseRecorders
from workers.browser_host.scripts import ContextScripts


class OpenContext:
    """`page` is None after a capture that left it in an unknown state; the next one gets a new page."""

    def __init__(self, chrome: Chrome, context: BrowserContext, recorder: ResponseRecorder | None) -> None:
        self.chrome = chrome
        self.context = context
        self.scripts = ContextScripts(context)
        self.page: Page | None = None
        self.recorder = recorder

    async def ensure_page(self) -> Page:
        """Raises InvalidRequest or BrowserUnavailable."""
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

    async def discard_page(self) -> None:
        page, self.page = self.page, None
        if page is not None:
            await close_page(page)

    def abandon(self) -> None:
        """Its Chrome is gone: nothing is left to close."""
        if self.recorder is not None:
            self.recorder.stop()

    async def close(self) -> None:
        self.abandon()
        await close_context(self.context)


class ContextOpener:
    """Opens contexts for sessions, in whichever Chrome runs."""

    def __init__(self, keeper: ChromeKeeper, recorders: ResponseRecorders) -> None:
        self._keeper = keeper
        self._recorders = recorders

    async def open(
        self, session_id: str, request: SessionRequest, scripts: dict[str, str], **state: dict[str, object] | None
    ) -> OpenContext:
        """`state`: a `storage_state` instead of the request's. Raises InvalidRequest or BrowserUnavailable."""
        chrome = await self._keeper.current()
        context = await chrome.new_context(request, **state)
        opened = OpenContext(chrome, context, self._recorders.start(session_id, context, request.record_responses))
        try:
            await opened.scripts.follow(scripts)
            await opened.ensure_page()
        except BaseException:
            await opened.close()
            raise
        return opened
