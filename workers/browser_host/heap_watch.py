"""Whether the pages of a capture stay within their heap and still answer; looked at while a capture takes long."""

import asyncio
from collections.abc import Callable

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Frame, Page

from fleet.errors import OutOfMemory
from workers.browser_host.page_limits import PageLimits
from workers.browser_host.renderer import HeapUse, Renderer
from workers.browser_host.script_stop import ScriptStop

# Frames with a renderer of their own; what more of them take, only their processes' limit bounds.
_RENDERERS_MAX = 20
# A page has a few events in which it can cling to its renderer when it is left.
_INTERRUPTS_MAX = 8
# Garbage of hundreds of megabytes takes seconds on a busy machine, and then it is not the page that clings to its turn.
_COLLECT_SECONDS = 10


class Heap:
    """Of a page, its popups, and their frames of other sites: the session's whole, but for workers."""

    def __init__(self, page: Page, renderer: Renderer) -> None:
        self._page = page
        self._renderers: dict[Page | Frame, Renderer | None] = {page: renderer}

    async def used(self, limits: PageLimits, *, patience: float) -> HeapUse:
        """Only if it is over a limit, what is garbage is collected and not counted.

        Raises TimeoutError if the page's scripts leave it no turn within `patience`, in seconds.
        """
        async with asyncio.timeout(patience):
            used = await self._sum()
        if used.is_over(limits):
            async with asyncio.timeout(_COLLECT_SECONDS):
                await self._collect_garbage()
                used = await self._sum()
        return used

    async def _collect_garbage(self) -> None:
        for renderer in self._open():
            await renderer.collect_garbage()

    async def cpu_seconds(self) -> float:
        """Of the process among them that has computed most, since it began; several may share one."""
        return max([await renderer.cpu_seconds() for renderer in self._open()])

    async def _sum(self) -> HeapUse:
        await self._follow()
        return sum([await renderer.heap_use() for renderer in self._open()], HeapUse())

    def _open(self) -> list[Renderer]:
        return [renderer for renderer in self._renderers.values() if renderer is not None]

    async def _follow(self) -> None:
        wanted = _frames(self._page)
        for gone in self._renderers.keys() - set(wanted):
            del self._renderers[gone]
        for frame in wanted:
            if frame not in self._renderers:
                self._renderers[frame] = await _own_renderer(frame)

    async def close(self) -> None:
        for renderer in self._open():
            await renderer.close()


def _frames(page: Page) -> list[Page | Frame]:
    others = [popup for popup in page.context.pages if popup != page]
    frames: list[Page | Frame] = [page]
    frames.extend(others)
    for opened in (page, *others):
        frames.extend(opened.frames[1:])
    return frames[:_RENDERERS_MAX]


async def _own_renderer(frame: Page | Frame) -> Renderer | None:
    """None for a frame that shares its parent's."""
    try:
        return await Renderer.of(frame)
    except PlaywrightError:
        return None


class HeapWatch:
    def __init__(self, heap: Heap, limits: PageLimits, stop: ScriptStop, *, is_leaving: Callable[[], bool]) -> None:
        """`is_leaving`: whether the page still shows the document that the capture leaves."""
        self._heap = heap
        self._limits = limits
        self._stop = stop
        self._is_leaving = is_leaving
        self._interrupts = 0

    async def watch(self) -> None:
        """Raises OutOfMemory, or runs until it is cancelled."""
        while True:
            await asyncio.sleep(self._limits.measure_seconds)
            await self._look()

    async def _look(self) -> None:
        patience = self._limits.leave_seconds if self._is_leaving() else self._limits.hung_seconds
        try:
            used = await self._heap.used(self._limits, patience=patience)
        except TimeoutError:
            await self._on_hung()
        except PlaywrightError:
            # It is going away; the capture's own calls tell how.
            pass
        else:
            self._check(used)

    def _check(self, used: HeapUse) -> None:
        if used.is_over(self._limits):
            limit = self._limits.heap_bytes
            raise OutOfMemory(f"The page keeps {used}, more than its limit of {limit // 1024**2} MB allows.")

    async def _on_hung(self) -> None:
        """What the page does while it is left is of no interest; what it does once it is there is its look."""
        if self._is_leaving() and self._interrupts < _INTERRUPTS_MAX:
            self._interrupts += 1
            await self._stop.interrupt()
        else:
            await self._stop.stop(f"A script did not end within {self._limits.hung_seconds:g} s.")
