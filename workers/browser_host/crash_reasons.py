"""Why renderers died, as Chrome's own process knows it; Playwright tells only that they did."""

import asyncio
import contextlib
import signal
import time
from collections import OrderedDict
from math import inf
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from playwright.async_api import CDPSession, Page

from fleet.errors import OutOfMemory, PageCrashed, PageError

_log = structlog.get_logger(__name__)

_REMEMBERED = 100
# Chrome's own word.
_OUT_OF_MEMORY = "oom"
# Chrome tells of a death to one listener after the other, and takes its time on a machine that is busy.
_TOLD_WITHIN_SECONDS = 5
_KILLED_WITHIN_SECONDS = 5
# The guard's next look.
_FOUND_WITHIN_SECONDS = 0.7
_JUST_NOW_SECONDS = 2


class CrashReasons:
    def __init__(self) -> None:
        self._told: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._more = asyncio.Event()
        self._targets: WeakKeyDictionary[Page, str] = WeakKeyDictionary()
        # When we last killed a renderer, for its memory.
        self._killed_at = -inf

    def listen(self, cdp: CDPSession) -> None:
        """To Chrome itself, whose targets `cdp` discovers."""
        cdp.on("Target.targetCrashed", self._on_crashed)

    async def know(self, page: Page, cdp: CDPSession) -> None:
        """Which of Chrome's targets the page is, by its `cdp`. One that has crashed takes its time to tell."""
        if page not in self._targets:
            self._targets[page] = (await cdp.send("Target.getTargetInfo"))["targetInfo"]["targetId"]

    def note_killed(self) -> None:
        """A renderer is killed now for its memory."""
        self._killed_at = time.monotonic()

    def _on_crashed(self, told: dict[str, Any]) -> None:
        if told["errorCode"] == signal.SIGKILL and self._killed_within(_KILLED_WITHIN_SECONDS):
            told = told | {"status": _OUT_OF_MEMORY}
        self._told[told["targetId"]] = told
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._more.set()

    async def error_of(self, page: Page) -> PageError:
        """OutOfMemory or PageCrashed, for a page that has crashed."""
        told = await self._told_of(page)
        ran_out = told is not None and _ran_out_of_memory(told)
        if not ran_out:
            # A process that dies of its size in its own way is found to be too large while it dies.
            await asyncio.sleep(_FOUND_WITHIN_SECONDS)
            ran_out = self._killed_within(_JUST_NOW_SECONDS)
        _log.warning("page crashed", told=told, ran_out_of_memory=ran_out)
        if ran_out:
            return OutOfMemory("The page wanted more memory than it may have, and its renderer process died.")
        return PageCrashed("The page crashed its renderer process.")

    def _killed_within(self, seconds: float) -> bool:
        return time.monotonic() - self._killed_at < seconds

    async def _told_of(self, page: Page) -> dict[str, Any] | None:
        if (target := self._targets.get(page)) is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TOLD_WITHIN_SECONDS):
                while target not in self._told:
                    self._more.clear()
                    await self._more.wait()
                return self._told.pop(target)
        return None


def _ran_out_of_memory(told: dict[str, Any]) -> bool:
    # V8 ends a process that reaches its heap's limit with a trap; other crashes are faults of memory access.
    return bool(told["status"] == _OUT_OF_MEMORY or told["errorCode"] == signal.SIGTRAP)
