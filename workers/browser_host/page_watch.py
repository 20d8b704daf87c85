"""What a page reports while it is captured: errors, failed requests, its own death. Every list has a cap."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from playwright.async_api import ConsoleMessage, Page, Request, WebError

from fleet.errors import EgressBlocked, PageCrashed
from fleet.models.manifest import ConsoleError, FailedRequest
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.racing import unless
from workers.browser_host.scripts import script_of
from workers.browser_host.translation import is_not_connected

_ENTRIES_MAX = 100
_TEXT_MAX = 2000

T = TypeVar("T")


class PageWatch:
    """Listens from `__enter__` to `__exit__`."""

    def __init__(self, page: Page, egress: EgressProxy) -> None:
        self._page = page
        self._egress = egress
        self._crashed = asyncio.Event()
        self._listeners = {
            "console": self._on_console,
            "requestfailed": self._on_request_failed,
            "crash": self._on_crash,
        }
        self.console_errors: list[ConsoleError] = []
        self.failed_requests: list[FailedRequest] = []
        self.blocked_requests: list[FailedRequest] = []

    def __enter__(self) -> Self:
        for event, listener in self._listeners.items():
            self._page.on(event, listener)  # type: ignore[call-overload]  # overloads need a literal
        # The page's own event does not say where.
        self._page.context.on("weberror", self._on_web_error)
        return self

    def __exit__(self, *_: object) -> None:
        for event, listener in self._listeners.items():
            self._page.remove_listener(event, listener)
        self._page.context.remove_listener("weberror", self._on_web_error)

    async def unless_crashed(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. Raises PageCrashed at once when the page dies: not every call notices."""
        return await unless(self._crashed, work, PageCrashed("The page crashed its renderer process."))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location
            self._note_error(message.text, where["url"], where["line"])

    def _on_web_error(self, error: WebError) -> None:
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
