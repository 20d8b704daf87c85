"""What a page reports while it is captured: errors, failed requests, its own death, floods. Every list has a cap."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from playwright.async_api import ConsoleMessage, Frame, Page, Request, WebError, WebSocket

from fleet.errors import EgressBlocked, PageCrashed, PageUnresponsive
from fleet.models.manifest import ConsoleError, FailedRequest
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.page_limits import PageLimits
from workers.browser_host.racing import beside, unless
from workers.browser_host.script_stop import ScriptStop
from workers.browser_host.scripts import script_of
from workers.browser_host.translation import is_not_connected

_ENTRIES_MAX = 100
_TEXT_MAX = 2000

T = TypeVar("T")


class PageWatch:
    """Listens from `__enter__` to `__exit__`."""

    def __init__(self, page: Page, egress: EgressProxy, limits: PageLimits, *, leaves: bool) -> None:
        """`leaves`: the capture begins by leaving the document that the page shows."""
        self._page = page
        self._egress = egress
        self._crashed = asyncio.Event()
        self._console_flooded = asyncio.Event()
        self._console = _Rate(limits.console_messages_per_second, self._console_flooded)
        self._flooded = asyncio.Event()
        self._frames = _Rate(limits.frames_per_second, self._flooded)
        self._frame_bytes = _Rate(limits.frame_bytes_per_second, self._flooded)
        self._popups_left = limits.popups_per_capture
        # Until then it is the page of the capture before this one that opens popups.
        self._is_leaving = leaves
        self._loads = _Rate(limits.loads_per_second, self._flooded)
        # Before that it is the page of the capture before this one that loads again and again.
        self.has_arrived = False
        self._listeners = {
            "console": self._on_console,
            "requestfailed": self._on_request_failed,
            "crash": self._on_crash,
            "websocket": self._on_websocket,
            "domcontentloaded": self._on_load,
            "framenavigated": self._on_navigated,
        }
        self.console_errors: list[ConsoleError] = []
        self.failed_requests: list[FailedRequest] = []
        self.blocked_requests: list[FailedRequest] = []

    def __enter__(self) -> Self:
        for event, listener in self._listeners.items():
            self._page.on(event, listener)  # type: ignore[call-overload]  # overloads need a literal
        # The page's own event does not say where.
        self._page.context.on("weberror", self._on_web_error)
        self._page.context.on("page", self._on_popup)
        return self

    def __exit__(self, *_: object) -> None:
        for event, listener in self._listeners.items():
            self._page.remove_listener(event, listener)
        self._page.context.remove_listener("weberror", self._on_web_error)
        self._page.context.remove_listener("page", self._on_popup)

    async def unless_crashed(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. Raises PageCrashed at once when the page dies: not every call notices."""
        return await unless(self._crashed, work, PageCrashed("The page crashed its renderer process."))

    async def unless_flooded(self, stop: ScriptStop, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. A page that floods the console is stopped.

        Raises PageUnresponsive when it floods Chrome with what goes on without scripts, or before they can be stopped.
        """
        error = PageUnresponsive("The page floods its browser with WebSocket frames, popups or reloads.")
        return await unless(self._flooded, beside(self._stop_console(stop), work), error)

    async def _stop_console(self, stop: ScriptStop) -> None:
        await self._console_flooded.wait()
        # Nobody reads it any more, so that what is on its way comes to its end.
        self._page.remove_listener("console", self._listeners.pop("console"))
        await stop.stop("The page floods the console.")

    def _on_navigated(self, frame: Frame) -> None:
        if frame == self._page.main_frame:
            self._is_leaving = False

    def _on_popup(self, _page: Page) -> None:
        if self._is_leaving:
            return
        self._popups_left -= 1
        if self._popups_left < 0:
            self._flooded.set()

    def _on_load(self, _page: Page) -> None:
        if self.has_arrived:
            self._loads.count(1)

    def _on_websocket(self, socket: WebSocket) -> None:
        socket.on("framesent", self._on_frame)
        socket.on("framereceived", self._on_frame)

    def _on_frame(self, payload: str | bytes) -> None:
        self._frames.count(1)
        self._frame_bytes.count(len(payload))

    def _on_console(self, message: ConsoleMessage) -> None:
        self._console.count(1)
        if message.type == "error":
            where = message.location
            self._note_error(message.text, where["url"], where["line"])

    def _on_web_error(self, error: WebError) -> None:
        self._console.count(1)
        if error.page == self._page:
            where = error.location
            self._note_error(str(error.error), where["url"], where["line"])

    def _note_error(self, text: str, url: str, line: int) -> None:
        """`line` counts from 0, and in a script Playwright has put one before the first."""
        if len(self.console_errors) >= _ENTRIES_MAX:
            return
        if script_id := script_of(url):
            error = ConsoleError(text=text[:_TEXT_MAX], line=line, script_id=script_id)
        else:
            error = ConsoleError(text=text[:_TEXT_MAX], url=url[:_TEXT_MAX] or None, line=line + 1 if url else None)
        self.console_errors.append(error)

    def _on_request_failed(self, request: Request) -> None:
        failure = request.failure or "unknown"
        refusal = self._egress.failure_of(request.url) if is_not_connected(failure) else None
        entries = self.blocked_requests if isinstance(refusal, EgressBlocked) else self.failed_requests
        if len(entries) < _ENTRIES_MAX:
            entries.append(
                FailedRequest(
                    url=request.url[:_TEXT_MAX],
                    method=request.method,
                    resource_type=request.resource_type,
                    failure=refusal.code if refusal else failure,
                )
            )

    def _on_crash(self, _page: Page) -> None:
        self._crashed.set()


class _Rate:
    """Counts what comes within a second, and sets `passed` once that is more than the limit."""

    def __init__(self, limit: int, passed: asyncio.Event) -> None:
        self._limit = limit
        self._passed = passed
        self._second = 0
        self._counted = 0

    def count(self, amount: int) -> None:
        if (second := int(time.monotonic())) != self._second:
            self._second, self._counted = second, 0
        self._counted += amount
        if self._counted > self._limit:
            self._passed.set()
