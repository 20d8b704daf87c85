"""A page's renderer, asked over CDP: what it keeps in memory, what it has computed; and made to stop."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession, Frame, Page
from playwright.async_api import Error as PlaywrightError

from workers.browser_host.page_limits import PageLimits

# A renderer that answers at all answers in milliseconds, and the browser process answers for one that does not.
_ANSWER_SECONDS = 1.5


@dataclass(frozen=True)
class HeapUse:
    """`script_bytes`: JavaScript objects and array buffers. `dom_bytes`: nodes, whether in the document or not."""

    script_bytes: int = 0
    dom_bytes: int = 0

    def __add__(self, other: "HeapUse") -> "HeapUse":
        return HeapUse(self.script_bytes + other.script_bytes, self.dom_bytes + other.dom_bytes)

    def __str__(self) -> str:
        return f"{self.script_bytes // 1024**2} MB of JavaScript and {self.dom_bytes // 1024**2} MB of DOM"

    def is_over(self, limits: PageLimits) -> bool:
        return self.script_bytes > limits.heap_bytes or self.dom_bytes > limits.dom_bytes


class Renderer:
    """Of a page, or of a frame with a renderer of its own. Raises Playwright's error once that is gone."""

    def __init__(self, cdp: CDPSession) -> None:
        self.cdp = cdp

    @classmethod
    async def of(cls, page: Page | Frame) -> "Renderer":
        context = page.context if isinstance(page, Page) else page.page.context
        return cls(await context.new_cdp_session(page))

    async def heap_use(self) -> HeapUse:
        """Reachable or not. Waits for ever where a script never ends."""
        usage = await self.cdp.send("Runtime.getHeapUsage")
        return HeapUse(
            script_bytes=int(usage["usedSize"] + usage.get("backingStorageSize", 0)),
            dom_bytes=int(usage.get("embedderHeapUsedSize", 0)),
        )

    async def collect_garbage(self) -> None:
        await self.cdp.send("HeapProfiler.collectGarbage")

    async def cpu_seconds(self) -> float:
        """Of its whole process, workers included, since it began."""
        await self.cdp.send("Performance.enable")
        metrics: list[dict[str, Any]] = (await self.cdp.send("Performance.getMetrics"))["metrics"]
        return next((float(metric["value"]) for metric in metrics if metric["name"] == "ProcessTime"), 0.0)

    async def interrupt(self) -> None:
        """Ends the script that runs now; others follow."""
        await self._send_all({"Runtime.terminateExecution": {}})

    async def stop_scripts(self) -> None:
        """Ends the script that runs now and keeps others from running, for as long as this is not closed."""
        # Both at once: in a flood of messages the answer to the first comes late.
        await self._send_all(
            {"Emulation.setScriptExecutionDisabled": {"value": True}, "Runtime.terminateExecution": {}}
        )

    async def _send_all(self, commands: dict[str, dict[str, Any]]) -> None:
        # Chrome refuses while it does what an earlier one asked for; a page that is gone is told of by other calls.
        with contextlib.suppress(TimeoutError, PlaywrightError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await asyncio.gather(*(self.cdp.send(method, params) for method, params in commands.items()))

    async def close(self) -> None:
        with contextlib.suppress(TimeoutError, PlaywrightError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self.cdp.detach()


async def answers(page: Page) -> bool:
    """Whether scripts of the page leave others a turn. One that navigates at this moment does."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await page.evaluate("0")
    except TimeoutError:
        return False
    except PlaywrightError:
        return not page.is_closed()
    return True
