"""A viewer as the API is one: joins, hears events and frames, says what has arrived, sends input."""

import asyncio
import io
import json
from typing import Any, Self

from PIL import Image
from pydantic import TypeAdapter

from fleet import keys
from fleet.models.input import Input
from fleet.models.viewer import FrameWishes
from fleet.store import Store
from fleet.store.asks import Delivered, InputAsk
from fleet.store.frames import Frame
from fleet.store.notifications import Notifications
from tests.factories import a_viewer
from tests.integration.browser_host.browser import comes_true

_INPUT: TypeAdapter[Input] = TypeAdapter(Input)


class Watcher:
    """Watches from `__aenter__` to `__aexit__`."""

    def __init__(
        self, store: Store, session_id: str, *, frames: FrameWishes | None = None, acknowledges: bool = True
    ) -> None:
        self.viewer = a_viewer(session_id=session_id, frames=frames)
        self.events: list[dict[str, Any]] = []
        self.frames: list[Frame] = []
        self._store = store
        self._acknowledges = acknowledges
        channels = {keys.session_events(session_id): self._on_event, keys.session_frames(session_id): self._on_frame}
        self._notifications = Notifications(store.client, channels, on_gap=lambda: None)

    async def __aenter__(self) -> Self:
        self._notifications.start()
        channel = keys.session_events(self.viewer.session_id)
        await comes_true(lambda: self._store.client.pubsub_numsub(channel)[0][1])
        self._store.viewers.join(self.viewer)
        await comes_true(self.is_listened_to)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._store.viewers.leave(self.viewer)
        await asyncio.to_thread(self._notifications.stop)

    def is_listened_to(self) -> bool:
        """By the host of the session."""
        return self._store.client.pubsub_numsub(keys.session_asks(self.viewer.session_id))[0][1] == 1

    def leave(self) -> None:
        self._store.viewers.leave(self.viewer)

    def acknowledge(self, frame: Frame) -> None:
        self._store.asks.send(self.viewer.session_id, Delivered(frame=frame.number))

    def send(self, kind: str, **fields: Any) -> None:
        wanted = _INPUT.validate_python({"kind": kind, **fields})
        assert self._store.asks.send(self.viewer.session_id, InputAsk(viewer_id=self.viewer.id, input=wanted)), (
            "no host listens"
        )

    def names(self, of: str) -> list[str]:
        return [event["name"] for event in self.events if event["type"] == of]

    async def sees(self, colour: tuple[int, int, int], *, seconds: float = 30) -> None:
        """The newest frame shows that colour in its middle."""
        await comes_true(lambda: bool(self.frames) and _is_close(_middle(self.frames[-1]), colour), seconds)

    async def hears(self, of: str, name: str, *, seconds: float = 30, **facts: Any) -> dict[str, Any]:
        """The first event like that."""

        def found() -> list[dict[str, Any]]:
            like = {"type": of, "name": name, **facts}
            return [event for event in self.events if event | like == event]

        await comes_true(found, seconds)
        return found()[0]

    def _on_event(self, message: str) -> None:
        self.events.append(json.loads(message))

    def _on_frame(self, message: str) -> None:
        frame = Frame.decode(message)
        self.frames.append(frame)
        if self._acknowledges:
            self.acknowledge(frame)


def picture(frame: Frame) -> Image.Image:
    return Image.open(io.BytesIO(frame.picture()))


def _middle(frame: Frame) -> tuple[int, ...]:
    opened = picture(frame).convert("RGB")
    found = opened.getpixel((opened.width // 2, opened.height // 2))
    assert isinstance(found, tuple)
    return tuple(int(part) for part in found)


def _is_close(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 30 for a, b in zip(one, other, strict=True))
