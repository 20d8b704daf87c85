"""One Chrome with the Playwright driver that drives it, from its launch to its end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import structlog
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from fleet.errors import BrowserUnavailable, PageError
from fleet.models.context import ContextOptions
from workers.browser_host.chrome_folder import ChromeFolder
from workers.browser_host.crash_reasons import CrashReasons
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.idle_watch import IdleWatches
from workers.browser_host.page_limits import PageLimits, page_limits
from workers.browser_host.popups import DetachedPopups, limit_popups, page_asked_for
from workers.browser_host.racing import unless
from workers.browser_host.renderer_guard import RendererGuard
from workers.browser_host.translation import context_errors
from workers.metrics import WorkerCounts
from workers.process_table import Process, read_process, tree

_log = structlog.get_logger(__name__)

_LAUNCH_SECONDS = 30
_CLOSE_SECONDS = 5


@dataclass(frozen=True)
class ChromeOptions:
    executable: Path
    heap_limit_mb: int
    sandbox: bool
    # None: as the heap limit has it.
    limits: PageLimits | None = None


def arguments(options: ChromeOptions) -> list[str]:
    """Beside Playwright's own: quiet on the network, bounded in heap, no way around a proxy."""
    return [
        f"--js-flags=--max-old-space-size={options.heap_limit_mb}",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        # /dev/shm is 64 MB in a container unless someone enlarges it.
        "--disable-dev-shm-usage",
        "--webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--disable-quic",
    ]


class Chrome:
    """`ended` is set as soon as Chrome or its driver is gone: asked to, or not."""

    def __init__(self, options: ChromeOptions, egress: EgressProxy, counts: WorkerCounts) -> None:
        self.limits = options.limits or page_limits(options.heap_limit_mb)
        self.crashes = CrashReasons()
        self.idle = IdleWatches(self.limits)
        self._guard = RendererGuard(self.limits.process_bytes, on_killed=self._on_renderer_killed)
        self._counts = counts
        self._options = options
        self._egress = egress
        self._orphans: set[asyncio.Task[None]] = set()
        self._playwright: Playwright | None = None
        self._folder = ChromeFolder()
        self._driver: Process | None = None
        self._main: Process | None = None
        self._browser: Browser | None = None
        self._control: CDPSession | None = None
        self.ended = asyncio.Event()
        self.asked_to_end = False
        self.version = ""

    @classmethod
    async def launch(cls, options: ChromeOptions, egress: EgressProxy, counts: WorkerCounts) -> Self:
        """Raises BrowserUnavailable; then nothing of it is left."""
        chrome = cls(options, egress, counts)
        try:
            async with asyncio.timeout(_LAUNCH_SECONDS):
                await chrome._launch()
                await chrome._guard_pages()
        except BaseException as error:
            await chrome.close()
            if not isinstance(error, Exception):
                raise
            _log.exception("chrome did not start", executable=str(options.executable))
            message = "Chrome does not start on this worker; its log has the cause. Send the job again."
            raise BrowserUnavailable(message) from error
        _log.info("chrome started", version=chrome.version, pid=chrome.pid)
        return chrome

    async def _launch(self) -> None:
        # Its screenshots would wait for fonts without a bound; ours have waited for them before.
        os.environ["PW_TEST_SCREENSHOT_NO_FONTS_READY"] = "1"
        before = set(_children())
        with self._folder.for_what_starts():
            self._playwright = await async_playwright().start()
        (driver,) = set(_children()) - before
        self._driver = read_process(driver)
        self._browser = await self._playwright.chromium.launch(
            executable_path=self._options.executable,
            args=arguments(self._options),
            chromium_sandbox=self._options.sandbox,
            # Without the bypass rule Chrome would reach loopback directly.
            proxy={"server": self._egress.url, "bypass": "<-loopback>"},
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        self.version = self._browser.version
        self._control = await self._browser.new_browser_cdp_session()
        processes = await self._control.send("SystemInfo.getProcessInfo")
        self._main = read_process(next(one["id"] for one in processes["processInfo"] if one["type"] == "browser"))
        # Playwright tells of Chrome's end, but not of its own driver's, and then not of Chrome's either.
        for process in (self._main, self._driver):
            if process is not None:
                self._watch(process.pid)

    async def _guard_pages(self) -> None:
        """Against what its pages may do to it and to each other."""
        assert self._control is not None  # noqa: S101  # just launched
        self.crashes.listen(self._control)
        DetachedPopups().listen(self._control)
        await self._control.send("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})
        if self._main is not None:
            self._guard.start(self._main.pid)

    def _watch(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        loop = asyncio.get_running_loop()

        def on_end() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._on_ended()

        loop.add_reader(descriptor, on_end)

    def _on_ended(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            # Without its driver nobody can ask it to end. The driver itself is asked, in `close`.
            self._kill_chrome()

    def _on_renderer_killed(self) -> None:
        self._counts.renderers_killed.inc()
        self.crashes.note_killed()

    @property
    def pid(self) -> int | None:
        return self._main.pid if self._main else None

    @property
    def is_running(self) -> bool:
        return self._browser is not None and not self.ended.is_set()

    async def new_context(
        self, options: ContextOptions, *, storage_state: dict[str, Any] | None = None
    ) -> BrowserContext:
        """`storage_state`: instead of that of the options.

        Raises InvalidRequest, EgressBlocked (its own proxy's address) or BrowserUnavailable.
        """
        if self._browser is None or not self.is_running:
            raise _died("before a context was opened")
        given = options.to_playwright()
        if storage_state is not None:
            given["storage_state"] = storage_state
        if options.proxy is not None:
            given["proxy"]["server"] = await self._egress.pinned(options.proxy.server)
        opening = self._owned(self._browser.new_context(accept_downloads=False, **given))
        with context_errors():
            context = await unless(self.ended, opening, _died("while a context was opened"))
        limit_popups(context)
        return context

    async def new_page(self, context: BrowserContext) -> Page:
        """Raises InvalidRequest (an option that only a page shows to be wrong) or BrowserUnavailable."""
        with context_errors(), page_asked_for(context):
            return await unless(self.ended, context.new_page(), _died("while a page was opened"))

    async def crash_of(self, page: Page) -> PageError:
        """OutOfMemory or PageCrashed, for a page that has crashed. Raises BrowserUnavailable if all of Chrome did."""
        return await unless(self.ended, self.crashes.error_of(page), _died("with the page"))

    async def _owned(self, opening: Coroutine[Any, Any, BrowserContext]) -> BrowserContext:
        """A context that opens although nobody waits for it any more is closed again."""
        task = asyncio.ensure_future(opening)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._orphans.add(closing := asyncio.create_task(_close_when_open(task)))
            closing.add_done_callback(self._orphans.discard)
            raise

    async def probe(self, seconds: float) -> None:
        """Raises TimeoutError or a PlaywrightError if Chrome does not answer, or does not paint, within that time."""
        if self._browser is None or self._control is None:
            raise PlaywrightError("not started")
        async with asyncio.timeout(seconds):
            await self._control.send("Browser.getVersion")
            context = await self._browser.new_context(viewport={"width": 16, "height": 16})
            try:
                page = await context.new_page()
                await page.screenshot()
            finally:
                await close_context(context)

    async def drop_caches(self) -> None:
        """What it keeps only to be faster. Gives up silently if Chrome does not answer."""
        if self._control is None:
            return
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._control.send("Memory.simulatePressureNotification", {"level": "critical"})

    def end_largest_page(self, *, beyond_bytes: int) -> bool:
        """Its process, if that takes more, and more than scripts of one page may keep. False: there is none."""
        return self._guard.end_largest(beyond_bytes=max(beyond_bytes, self.limits.heap_bytes))

    async def close(self) -> None:
        """Ends it from any half-started state: asked first, by force if it does not listen."""
        self._guard.stop()
        self.asked_to_end = self.is_running
        if self._browser is not None and self.is_running:
            await _bounded(self._browser.close(), "browser")
        if self._playwright is not None and _runs(self._driver):
            await _bounded(self._playwright.stop(), "playwright")
        self.kill()
        await asyncio.to_thread(self._folder.remove)

    def kill(self) -> None:
        """Its process group, its driver, and whatever the driver had started before it was known here."""
        started = tree(self._driver.pid) if self._driver is not None and _runs(self._driver) else []
        self._kill_chrome()
        for process in started:
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)

    def _kill_chrome(self) -> None:
        if self._main is not None:
            # Playwright starts Chrome as the leader of a group of its own.
            with contextlib.suppress(OSError):
                os.killpg(self._main.pid, signal.SIGKILL)


def _children() -> list[int]:
    own = os.getpid()
    return [process.pid for process in tree(own) if process.parent == own]


def _runs(process: Process | None) -> bool:
    """By its start, too: the id alone is used again."""
    now = read_process(process.pid) if process else None
    return process is not None and now is not None and now.started == process.started


def _died(when: str) -> BrowserUnavailable:
    return BrowserUnavailable(f"Chrome died {when}. Send the job again.")


async def close_context(context: BrowserContext) -> None:
    await _bounded(context.close(), "context")


async def _close_when_open(opening: asyncio.Future[BrowserContext]) -> None:
    with contextlib.suppress(PlaywrightError):
        await close_context(await opening)


async def _bounded(closing: Awaitable[None], what: str) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await closing
    except Exception as error:  # noqa: BLE001
        # What is being closed is gone or hangs; either way nobody will use it again.
        _log.warning("close failed", what=what, error=str(error).splitlines()[:1])
