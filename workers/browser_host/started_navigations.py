"""Navigations that a page starts by itself, by a link or a script: noticed, waited for, their failures told."""

import asyncio
import contextlib
from typing import Self

from playwright.async_api import Frame, Page, Request

from fleet.errors import FleetError, NavigationTimeout
from fleet.models.waits import Goto, WaitUntil
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.translation import failed_navigation, is_not_connected


class StartedNavigations:
    """Listens from `__enter__` to `__exit__`, to the main frame."""

    def __init__(self, page: Page, egress: EgressProxy) -> None:
        self._page = page
        self._egress = egress
        self._request: Request | None = None
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()
        self.failure: FleetError | None = None
        self._listeners = {
            "request": self._on_request,
            "requestfailed": self._on_failed,
            "framenavigated": self._on_navigated,
        }

    def __enter__(self) -> Self:
        for event, listener in self._listeners.items():
            self._page.on(event, listener)  # type: ignore[call-overload]  # overloads need a literal
        return self

    def __exit__(self, *_: object) -> None:
        for event, listener in self._listeners.items():
            self._page.remove_listener(event, listener)

    def forget(self) -> None:
        """What has begun until now is nobody's business any more."""
        self._begun.clear()
        self.failure = None

    async def begins_within(self, seconds: float) -> None:
        """Returns as soon as one has begun, or in vain when the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._begun.wait()

    async def arrive(self, goto: Goto) -> None:
        """Returns when none is under way any more; at once if none has begun.

        Raises NavigationTimeout, or the PageError of the navigation that failed.
        """
        try:
            async with asyncio.timeout(goto.timeout / 1000):
                while self._begun.is_set():
                    self._begun.clear()
                    await self._load(goto.wait_until)
        except TimeoutError:
            message = f"The page that it leads to did not reach '{goto.wait_until}' within goto.timeout"
            raise NavigationTimeout(f"{message} ({goto.timeout} ms).") from None

    async def _load(self, wait_until: WaitUntil) -> None:
        await self._ended.wait()
        if self.failure is not None:
            raise self.failure
        if wait_until != "commit":
            await self._page.wait_for_load_state(wait_until, timeout=0)

    def _on_request(self, request: Request) -> None:
        if self._is_navigation(request):
            self._request = request
            self._ended.clear()
            self._begun.set()

    def _on_failed(self, request: Request) -> None:
        # One that another has taken the place of is not waited for any more.
        if request == self._request:
            failure = request.failure or "unknown"
            refusal = self._egress.failure_of(request.url) if is_not_connected(failure) else None
            self.failure = refusal or failed_navigation(failure)
            self._ended.set()

    def _on_navigated(self, frame: Frame) -> None:
        if frame == self._page.main_frame:
            self._ended.set()

    def _is_navigation(self, request: Request) -> bool:
        return request.is_navigation_request() and request.frame == self._page.main_frame
