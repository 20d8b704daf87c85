"""One Chrome, driven by Playwright: started when first needed, started anew when it has died."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from fleet.errors import BrowserUnavailable
from fleet.models.context import ContextOptions
from workers.browser_host.crash_reasons import CrashReasons
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.idle_watch import IdleWatches
from workers.browser_host.memory_guard import MemoryGuard
from workers.browser_host.page_limits import PageLimits, page_limits
from workers.browser_host.popups import DetachedPopups, limit_popups
from workers.browser_host.racing import unless
from workers.browser_host.translation import context_errors

_log = structlog.get_logger(__name__)

_LAUNCH_SECONDS = 30
_CLOSE_SECONDS = 5


@dataclass(frozen=True)
class ChromeOptions:
    executable: Path
    heap_limit_mb: int
    sandbox: bool


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
    def __init__(
        self,
        options: ChromeOptions,
        egress: EgressProxy,
        *,
        on_died: Callable[[], None],
        limits: PageLimits | None = None,
    ) -> None:
        """`on_died` is called when Chrome ends without having been asked to: its contexts are lost."""
        self.limits = limits or page_limits(options.heap_limit_mb)
        self.crashes = CrashReasons()
        self.idle = IdleWatches(self.limits)
        self._memory_guard = MemoryGuard(self.limits.process_bytes, on_killed=self.crashes.note_killed)
        self._options = options
        self._egress = egress
        self._on_died = on_died
        self._starting = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._died = asyncio.Event()
        self._orphans: set[asyncio.Task[None]] = set()

    @property
    def is_running(self) -> bool:
        return self._browser is not None and self._browser.is_connected()

    @property
    def version(self) -> str:
        return self._browser.version if self._browser else ""

    async def ensure_started(self) -> Browser:
        """The running browser. Raises BrowserUnavailable; the next call tries again from the start."""
        async with self._starting:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            await self._stop()
            try:
                async with asyncio.timeout(_LAUNCH_SECONDS):
                    self._browser = await self._launch()
                    await self._guard(self._browser)
            except Exception as error:
                _log.exception("chrome did not start", executable=str(self._options.executable))
                await self._stop()
                message = "Chrome does not start on this worker; its log has the cause. Send the job again."
                raise BrowserUnavailable(message) from error
            self._browser.on("disconnected", self._on_disconnected)
            self._died = asyncio.Event()
            _log.info("chrome started", version=self._browser.version)
            return self._browser

    async def _launch(self) -> Browser:
        # Its screenshots would wait for fonts without a bound; ours have waited for them before.
        os.environ["PW_TEST_SCREENSHOT_NO_FONTS_READY"] = "1"
        self._playwright = await async_playwright().start()
        return await self._playwright.chromium.launch(
            executable_path=self._options.executable,
            args=arguments(self._options),
            chromium_sandbox=self._options.sandbox,
            # Without the bypass rule Chrome would reach loopback directly.
            proxy={"server": self._egress.url, "bypass": "<-loopback>"},
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )

    async def _guard(self, browser: Browser) -> None:
        """Against what its pages may do to it and to each other."""
        cdp = await browser.new_browser_cdp_session()
        self.crashes.listen(cdp)
        DetachedPopups().listen(cdp)
        await cdp.send("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})
        self._memory_guard.start()

    def _on_disconnected(self, browser: Browser) -> None:
        if browser is self._browser:
            _log.error("chrome died")
            self._died.set()
            self._on_died()

    async def new_context(self, options: ContextOptions) -> BrowserContext:
        """Raises InvalidRequest, EgressBlocked (its own proxy's address) or BrowserUnavailable."""
        browser = await self.ensure_started()
        given = options.to_playwright()
        if options.proxy is not None:
            given["proxy"]["server"] = await self._egress.pinned(options.proxy.server)
        with context_errors():
            context = await self._owned(browser.new_context(accept_downloads=False, **given))
        limit_popups(context)
        return context

    async def new_page(self, context: BrowserContext) -> Page:
        """Raises InvalidRequest (an option that only a page shows to be wrong) or BrowserUnavailable."""
        died = BrowserUnavailable("Chrome died while a page was opened. Send the job again.")
        with context_errors():
            return await unless(self._died, context.new_page(), died)

    async def _owned(self, opening: Coroutine[Any, Any, BrowserContext]) -> BrowserContext:
        """A context that opens although nobody waits for it any more is closed again."""
        task = asyncio.ensure_future(opening)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._orphans.add(closing := asyncio.create_task(_close_when_open(task)))
            closing.add_done_callback(self._orphans.discard)
            raise

    async def stop(self) -> None:
        async with self._starting:
            await self._stop()

    async def _stop(self) -> None:
        """Closes from any half-started state. Playwright's driver kills what does not close by itself."""
        self._memory_guard.stop()
        browser, self._browser = self._browser, None
        playwright, self._playwright = self._playwright, None
        if browser is not None:
            await _bounded(browser.close(), "browser")
        if playwright is not None:
            await _bounded(playwright.stop(), "playwright")


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
