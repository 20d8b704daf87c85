"""The pages that sessions hold between captures: one that toils then is paused, one that hangs or hoards is closed.

A page that somebody watches may toil: it is watched to see it move, and only for as long as its session is used.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from math import inf

import structlog
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from workers.browser_host.heap_watch import Heap
from workers.browser_host.page_limits import PageLimits
from workers.browser_host.popups import close_page, close_popups
from workers.browser_host.renderer import Renderer
from workers.browser_host.service_workers import remove_hung_service_workers

# A page that is busy once may just be finishing what it began.
_BUSY_LOOKS_MAX = 2

_log = structlog.get_logger(__name__)


class IdleWatches:
    def __init__(self, limits: PageLimits) -> None:
        self._limits = limits
        self._watching: dict[Page, tuple[_IdlePage, asyncio.Task[None]]] = {}
        # By viewers.
        self._watched: set[Page] = set()

    def begin(self, page: Page) -> None:
        """From now on nobody else looks at the page."""
        if page.is_closed() or page in self._watching:
            return
        idle = _IdlePage(page, self._limits, may_toil=lambda: page in self._watched)
        self._watching[page] = idle, asyncio.create_task(idle.watch())
        page.once("close", self._forget)

    async def end(self, page: Page) -> None:
        """A capture takes over: a page that was paused goes on."""
        if page in self._watching:
            _, task = self._watching.pop(page)
            task.cancel()
            await asyncio.wait([task])

    async def wake(self, page: Page) -> None:
        """A viewer uses it: if it was paused, it goes on."""
        if page in self._watching and self._watching[page][0].is_paused:
            await self.end(page)
            self.begin(page)

    async def watch(self, page: Page) -> None:
        """Somebody looks at it from now on: if it was paused, it goes on."""
        self._watched.add(page)
        await self.wake(page)

    def unwatch(self, page: Page) -> None:
        self._watched.discard(page)

    def _forget(self, page: Page) -> None:
        self._watched.discard(page)
        if page in self._watching:
            _, task = self._watching.pop(page)
            task.cancel()


class _IdlePage:
    def __init__(self, page: Page, limits: PageLimits, *, may_toil: Callable[[], bool]) -> None:
        self._page = page
        self._may_toil = may_toil
        self._limits = limits
        self.is_paused = False
        self._busy_looks = 0
        self._looked_at = 0.0
        self._cpu_seconds = inf

    async def watch(self) -> None:
        await asyncio.sleep(self._limits.idle_seconds)
        with contextlib.suppress(PlaywrightError):
            # Else it has gone by itself.
            renderer = await Renderer.of(self._page)
            heap = Heap(self._page, renderer)
            try:
                why = await self._why_to_close(renderer, heap)
            finally:
                await heap.close()
            _log.warning("page closed between captures", why=why)
            await close_popups(self._page)
            await close_page(self._page)

    async def _why_to_close(self, renderer: Renderer, heap: Heap) -> str:
        """Returns when there is a reason."""
        while (why := await self._wrong(heap) or await self._busy(renderer)) is None:
            await asyncio.sleep(self._limits.idle_seconds)
            await remove_hung_service_workers(self._page)
        return why

    async def _wrong(self, heap: Heap) -> str | None:
        try:
            used = await heap.used(self._limits, patience=self._limits.leave_seconds)
            async with asyncio.timeout(self._limits.leave_seconds):
                self._note_cpu(await heap.cpu_seconds())
        except TimeoutError:
            return "hung"
        return "out of memory" if used.is_over(self._limits) else None

    def _note_cpu(self, cpu_seconds: float) -> None:
        now = time.monotonic()
        busy = not self._may_toil() and cpu_seconds - self._cpu_seconds > self._limits.busy_share * (
            now - self._looked_at
        )
        self._busy_looks = self._busy_looks + 1 if busy else 0
        self._looked_at, self._cpu_seconds = now, cpu_seconds

    async def _busy(self, renderer: Renderer) -> str | None:
        """First it is paused; what toils on then is not its scripts."""
        if self._busy_looks < _BUSY_LOOKS_MAX:
            return None
        if self.is_paused:
            return "busy"
        _log.info("page paused between captures")
        self.is_paused, self._busy_looks = True, 0
        await renderer.stop_scripts()
        return None
