"""The pages of a context that no capture asked for: few at once."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from workers.browser_host.racing import beside

# Pages that hold a popup's window, as a login does, open one or two.
POPUPS_MAX = 5
_CLOSE_SECONDS = 5
# A page in an endless loop takes Playwright half a second to close.
_AGAIN_SECONDS = 1

_closing: set[asyncio.Task[None]] = set()
_asked_for_page: set[BrowserContext] = set()


@contextmanager
def page_asked_for(context: BrowserContext) -> Iterator[None]:
    """The page that opens meanwhile is no popup, however many are still to be closed."""
    _asked_for_page.add(context)
    try:
        yield
    finally:
        _asked_for_page.discard(context)


def limit_popups(context: BrowserContext) -> None:
    """For the context's life: closes each page that opens while there are POPUPS_MAX beside the first."""

    def check(page: Page) -> None:
        if context not in _asked_for_page and len(context.pages) > 1 + POPUPS_MAX:
            _in_background(close_page(page))

    context.on("page", check)


class DetachedPopups:
    """Closes popups without an opener before they are pages, where there are POPUPS_MAX: each takes a process.

    Not so the others: Chrome holds up the page that opens them until Playwright has attached.
    """

    def __init__(self) -> None:
        self._contexts: dict[str, str] = {}

    def listen(self, cdp: CDPSession) -> None:
        """To Chrome itself, whose targets `cdp` discovers."""
        cdp.on("Target.targetCreated", lambda told: self._on_created(cdp, told["targetInfo"]))
        cdp.on("Target.targetDestroyed", self._on_destroyed)

    def _on_created(self, cdp: CDPSession, target: dict[str, Any]) -> None:
        if "openerId" not in target or target["canAccessOpener"]:
            return
        context = target.get("browserContextId", "")
        if list(self._contexts.values()).count(context) >= POPUPS_MAX:
            _in_background(_close_target(cdp, target["targetId"]))
        else:
            self._contexts[target["targetId"]] = context

    def _on_destroyed(self, told: dict[str, Any]) -> None:
        self._contexts.pop(told["targetId"], None)


def _in_background(closing: Coroutine[Any, Any, None]) -> None:
    # Kept, or the loop forgets it.
    _closing.add(task := asyncio.create_task(closing))
    task.add_done_callback(_closing.discard)


async def _close_target(cdp: CDPSession, target_id: str) -> None:
    with contextlib.suppress(PlaywrightError):
        await cdp.send("Target.closeTarget", {"targetId": target_id})


async def close_popups(page: Page) -> None:
    """All pages of its context but this one."""
    await asyncio.gather(*(close_page(other) for other in page.context.pages if other != page))


async def close_page(page: Page) -> None:
    """One that does not close in time is left to its context."""
    with contextlib.suppress(TimeoutError, PlaywrightError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await beside(_close_again(page), page.close(run_before_unload=False))


async def _close_again(page: Page) -> None:
    """Chrome forgets to close a page that was just changing documents, and Playwright does not tell it twice."""
    await asyncio.sleep(_AGAIN_SECONDS)
    browser = page.context.browser
    assert browser is not None  # noqa: S101  # its contexts are not persistent
    control, cdp = await browser.new_browser_cdp_session(), await page.context.new_cdp_session(page)
    target = (await cdp.send("Target.getTargetInfo"))["targetInfo"]["targetId"]
    try:
        while True:
            await control.send("Target.closeTarget", {"targetId": target})
            await asyncio.sleep(_AGAIN_SECONDS)
    finally:
        await control.detach()
