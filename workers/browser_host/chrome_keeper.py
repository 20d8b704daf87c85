"""Keeps one Chrome running: replaces it when it dies, hangs, or has done enough."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from playwright.async_api import Error as PlaywrightError

from fleet.errors import BrowserUnavailable
from fleet.metrics import totals
from workers.browser_host.background import Background
from workers.browser_host.chrome import Chrome, ChromeOptions
from workers.browser_host.egress_proxy import EgressProxy
from workers.metrics import WorkerCounts

_log = structlog.get_logger(__name__)

_STRIKES = 2
_BACKOFF_BASE_SECONDS = 0.5
_BACKOFF_CAP_SECONDS = 8.0
# Then the fault is not Chrome's alone: whoever started the host is to see it.
_FAILURES_MAX = 5
_WORN = "worn"


@dataclass(frozen=True)
class Upkeep:
    """When a Chrome is replaced: it fails two probes, with a pause for a busy moment to pass, or it is worn.

    Long-lived ones leak, so that after so many captures, or so long, nothing else need be wrong with it.
    """

    captures: int
    age_seconds: float
    probe_seconds: float = 10.0
    pause_seconds: float = 5.0


class ChromeKeeper:
    def __init__(
        self,
        options: ChromeOptions,
        egress: EgressProxy,
        counts: WorkerCounts,
        *,
        upkeep: Upkeep,
        on_lost: Callable[[Chrome, str], None],
    ) -> None:
        """`on_lost(chrome, cause)` is called when one has ended that was not asked to: its contexts are lost."""
        self._options = options
        self._egress = egress
        self._counts = counts
        self._upkeep = upkeep
        self._on_lost = on_lost
        self._starting = asyncio.Lock()
        self._chrome: Chrome | None = None
        self._started_at = 0.0
        # Of the running Chrome.
        self.captures = 0
        self._failures = 0
        self._background = Background()
        self._coming: asyncio.Task[Chrome] | None = None
        # Whether the running Chrome did, when last asked.
        self._answers = True
        self._is_replacing = False
        self._cause = "died"
        self.gave_up = asyncio.Event()

    @property
    def is_running(self) -> bool:
        return self._chrome is not None and self._chrome.is_running

    @property
    def restarts(self) -> dict[str, int]:
        """Causes of the replacements so far, hosts before this one included."""
        return {cause: count for cause, count in totals(self._counts.chrome_restarts).items() if count}

    @property
    def lost(self) -> int:
        """How many have ended so far that were not asked to."""
        return sum(count for cause, count in self.restarts.items() if cause != _WORN)

    @property
    def version(self) -> str:
        return self._chrome.version if self._chrome else ""

    @property
    def is_worn(self) -> bool:
        if self._chrome is None:
            return False
        age = time.monotonic() - self._started_at
        return self.captures >= self._upkeep.captures or age >= self._upkeep.age_seconds

    async def current(self) -> Chrome:
        """The running Chrome. Raises BrowserUnavailable; the next call tries again, after a growing pause."""
        async with self._starting:
            if self._chrome is not None and self._chrome.is_running:
                return self._chrome
            await self._close()
            if self._failures:
                pause = min(_BACKOFF_CAP_SECONDS, _BACKOFF_BASE_SECONDS * 2.0**self._failures)
                await asyncio.sleep(pause * random.uniform(0.5, 1))
            return await self._start()

    async def is_up(self, *, within_seconds: float) -> bool:
        """Whether a Chrome runs, and answered when last asked. Waits a moment for one that is being started; one that
        is replaced on purpose counts as up.
        """
        if self._coming is None or self._coming.done():
            self._coming = asyncio.create_task(self.current())
        try:
            async with asyncio.timeout(within_seconds):
                # Its start goes on, however long it takes.
                await asyncio.shield(self._coming)
        except (TimeoutError, BrowserUnavailable):
            return self._is_replacing
        return self._answers

    async def _start(self) -> Chrome:
        try:
            chrome = await Chrome.launch(self._options, self._egress, self._counts)
        except BrowserUnavailable:
            self._failures += 1
            if self._failures >= _FAILURES_MAX:
                self.gave_up.set()
            raise
        self._failures = self.captures = 0
        self._answers = True
        self._chrome, self._started_at, self._cause = chrome, time.monotonic(), "died"
        self._background.begin(self._tell_of_end(chrome))
        return chrome

    async def _tell_of_end(self, chrome: Chrome) -> None:
        await chrome.ended.wait()
        if chrome.asked_to_end:
            return
        self._counts.chrome_restarts.labels(self._cause).inc()
        _log.error("chrome lost", cause=self._cause, pid=chrome.pid)
        self._on_lost(chrome, self._cause)
        # Replaced at once, not by the first job that needs it.
        while not self.is_running and not self.gave_up.is_set():
            with suppress(BrowserUnavailable):
                await self.current()

    async def check(self) -> None:
        """Kills a Chrome that does not answer twice in a row; its end is then noticed as any other."""
        chrome = await self.current()
        for strike in range(1, _STRIKES + 1):
            try:
                await chrome.probe(self._upkeep.probe_seconds)
            except (TimeoutError, PlaywrightError) as error:
                if not chrome.is_running:
                    return
                self._answers = False
                _log.warning("chrome does not answer", strike=strike, error=str(error).splitlines()[:1])
            else:
                self._answers = True
                return
            if strike < _STRIKES:
                await asyncio.sleep(self._upkeep.pause_seconds)
        self._cause = "hung"
        chrome.kill()

    async def replace(self) -> None:
        """Ends the running Chrome, which nobody may be using, and starts another. Raises BrowserUnavailable."""
        async with self._starting:
            self._counts.chrome_restarts.labels(_WORN).inc()
            self._is_replacing = True
            try:
                await self._close()
                await self._start()
            finally:
                self._is_replacing = False

    async def stop(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
        async with self._starting:
            await self._close()

    async def _close(self) -> None:
        chrome, self._chrome = self._chrome, None
        if chrome is not None:
            await chrome.close()
