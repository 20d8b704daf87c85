"""The pictures of one page, from start to stop: each is acknowledged once it has been delivered, the newest only."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from fleet.errors import FleetError
from fleet.models.viewer import FrameWishes

# Chrome sends as many unacknowledged ones, and drops what the page paints beyond them: the last one, too.
_IN_FLIGHT_MAX = 3
# A page that has come to rest this long after such a flood is painted once more.
_REST_SECONDS = 0.3
_ANSWER_SECONDS = 5.0
# While the host stops, too.
_END_SECONDS = 1.0
# Pages are scaled to the width; this is for those that are very tall.
_HEIGHT_FACTOR = 4

# Of a picture: width and height of the viewport in CSS pixels, JPEG in base64. Returns when a viewer has it.
Deliver = Callable[[int, int, str], Awaitable[None]]

_log = structlog.get_logger(__name__)


class Screencast:
    """`start` it once. It is over when the page is gone, or `stop` was called."""

    def __init__(self, page: Page, wishes: FrameWishes, deliver: Deliver) -> None:
        self._page = page
        self._wishes = wishes
        self._deliver = deliver
        self._cdp: CDPSession | None = None
        self._arrived = asyncio.Event()
        self._unacknowledged: list[dict[str, Any]] = []
        self._delivered_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    @property
    def is_over(self) -> bool:
        return self._task is None or self._task.done()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                self._cdp = await self._page.context.new_cdp_session(self._page)
                self._cdp.on("Page.screencastFrame", self._on_frame)
                await self._begin(self._cdp)
            await self._deliver_all(self._cdp)
        except (PlaywrightError, TimeoutError):
            # The page is gone or hangs; whoever wants its pictures starts another one.
            return
        except FleetError as error:
            _log.warning("frames not delivered", code=error.code, cause=error.message)
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("screencast failed by a defect")
        finally:
            await self._end()

    async def _begin(self, cdp: CDPSession) -> None:
        width = self._wishes.max_width
        size = {"maxWidth": width, "maxHeight": _HEIGHT_FACTOR * width}
        await cdp.send("Page.startScreencast", {"format": "jpeg", "quality": self._wishes.quality, **size})

    def _on_frame(self, frame: dict[str, Any]) -> None:
        self._unacknowledged.append(frame)
        self._arrived.set()

    async def _deliver_all(self, cdp: CDPSession) -> None:
        dropped_some = False
        while True:
            if not await self._next_arrives(within=_REST_SECONDS if dropped_some else None):
                dropped_some = False
                await self._paint_again(cdp)
                continue
            taken, self._unacknowledged = self._unacknowledged, []
            facts = taken[-1]["metadata"]
            await self._deliver(round(facts["deviceWidth"]), round(facts["deviceHeight"]), taken[-1]["data"])
            await self._keep_pace()
            dropped_some |= len(taken) + len(self._unacknowledged) >= _IN_FLIGHT_MAX
            async with asyncio.timeout(_ANSWER_SECONDS):
                for frame in taken:
                    await cdp.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    async def _next_arrives(self, *, within: float | None) -> bool:
        try:
            async with asyncio.timeout(within):
                await self._arrived.wait()
        except TimeoutError:
            return False
        self._arrived.clear()
        return bool(self._unacknowledged)

    async def _paint_again(self, cdp: CDPSession) -> None:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await cdp.send("Page.stopScreencast")
            await self._begin(cdp)

    async def _keep_pace(self) -> None:
        await asyncio.sleep(self._delivered_at + 1 / self._wishes.max_fps - time.monotonic())
        self._delivered_at = time.monotonic()

    async def _end(self) -> None:
        if self._cdp is None:
            return
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await self._cdp.send("Page.stopScreencast")
                await self._cdp.detach()
