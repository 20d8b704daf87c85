"""Pictures of watched pages on their way to viewers. Only the newest of each session is kept, for late viewers."""

import base64
from dataclasses import dataclass
from typing import Self, cast

from fleet import keys
from fleet.store.connection import RedisClient


@dataclass(frozen=True)
class Frame:
    """`width`, `height`: of the viewport, in CSS pixels; the picture may be smaller. `jpeg`: base64, as it comes."""

    number: int
    width: int
    height: int
    jpeg: str

    def encode(self) -> str:
        return f"{self.number} {self.width} {self.height} {self.jpeg}"

    @classmethod
    def decode(cls, message: str) -> Self:
        number, width, height, jpeg = message.split(" ", 3)
        return cls(int(number), int(width), int(height), jpeg)

    def picture(self) -> bytes:
        return base64.b64decode(self.jpeg)


class FrameStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def publish(self, session_id: str, frame: Frame) -> None:
        message = frame.encode()
        with self._client.pipeline(transaction=False) as batch:
            batch.set(keys.session_frame(session_id), message, ex=keys.FRAME_SECONDS)
            batch.publish(keys.session_frames(session_id), message)
            batch.execute()

    def keep(self, session_id: str) -> None:
        """Somebody still watches: within `keys.FRAME_SECONDS` of the last time, or a page that rests is forgotten."""
        self._client.expire(keys.session_frame(session_id), keys.FRAME_SECONDS)

    def newest(self, session_id: str) -> Frame | None:
        found = cast("str | None", self._client.get(keys.session_frame(session_id)))
        return Frame.decode(found) if found else None
