"""What waits to be sent to one viewer: the newest frame alone, and events up to a bound."""

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass

# A viewer that is further behind does not catch up by reading it all.
EVENTS_MAX = 500


@dataclass(frozen=True)
class Picture:
    """A frame as viewers get it; many of them share one."""

    number: int
    width: int
    height: int
    jpeg: bytes


Message = str | Picture


class Mailbox:
    """Used on one event loop. `max_fps`: pictures that come faster are dropped."""

    def __init__(self, *, max_fps: float) -> None:
        self._frame_seconds = 1 / max_fps
        self._events: deque[str] = deque()
        self._dropped = 0
        self._picture: Picture | None = None
        self._newest = 0
        self._sent_at = 0.0
        self._viewport: tuple[int, int] | None = None
        self._filled = asyncio.Event()

    def put_event(self, event: str) -> None:
        if len(self._events) >= EVENTS_MAX:
            self._events.popleft()
            self._dropped += 1
        self._events.append(event)
        self._filled.set()

    def put_picture(self, picture: Picture) -> None:
        """One that is no newer than what came before is ignored."""
        if picture.number > self._newest:
            self._newest = picture.number
            self._picture = picture
            self._filled.set()

    async def next(self) -> Message:
        """Events first, in their order; then the newest picture, when it is its time."""
        while True:
            if (event := self._next_event()) is not None:
                return event
            due = self._sent_at + self._frame_seconds
            if self._picture is not None and time.monotonic() >= due:
                if (viewport := self._new_viewport(self._picture)) is not None:
                    return viewport
                picture, self._picture = self._picture, None
                self._sent_at = time.monotonic()
                return picture
            await self._wait(until=due if self._picture is not None else None)

    def _next_event(self) -> str | None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return json.dumps({"type": "session", "name": "events_dropped", "count": dropped})
        return self._events.popleft() if self._events else None

    def _new_viewport(self, picture: Picture) -> str | None:
        """Said before the first picture, and when it changes."""
        viewport = (picture.width, picture.height)
        if viewport == self._viewport:
            return None
        self._viewport = viewport
        return json.dumps({"type": "viewport", "width": picture.width, "height": picture.height})

    async def _wait(self, *, until: float | None) -> None:
        self._filled.clear()
        try:
            async with asyncio.timeout(None if until is None else until - time.monotonic()):
                await self._filled.wait()
        except TimeoutError:
            return
