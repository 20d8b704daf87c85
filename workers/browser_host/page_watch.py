"""What a page reports while it is captured: errors, failed requests, its own death. Every list has a cap."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from playwright.async_api import ConsoleMessage, Page, Request
from playwright.async_api import Error as PlaywrightError

from fleet.errors import EgressBlocked, PageCrashed
from fleet.models.manifest import ConsoleError, FailedRequest
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.racing import unless
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
            "pageerror": self._on_page_error,
            "requestfailed": self._on_request_failed,
            "crash": self._on_crash,
        }
        self.console_errors: list[ConsoleError] = []
        self.failed_requests: list[FailedRequest] = []
        self.blocked_requests: list[FailedRequest] = []

    def __enter__(self) -> Self:
        for event, listener in self._listeners.items():
            self._page.on(event, listener)  # type: ignore[call-overload]  # overloads need a literal
        return self

    def __exit__(self, *_: object) -> None:
        for event, listener in self._listeners.items():
            self._page.remove_listener(event, listener)

    async def unless_crashed(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result. Raises PageCrashed at once when the page dies: not every call notices."""
        return await unless(self._crashed, work, PageCrashed("The page crashed its renderer process."))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and len(self.console_errors) < _ENTRIES_MAX:
            where = message.location
            self.console_errors.append(
                ConsoleError(text=message.text[:_TEXT_MAX], url=where["url"] or None, line=where["lineNumber"])
            )

    def _on_page_error(self, error: PlaywrightError) -> None:
        if len(self.console_errors) < _ENTRIES_MAX:
            self.console_errors.append(ConsoleError(text=str(error)[:_TEXT_MAX]))

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
