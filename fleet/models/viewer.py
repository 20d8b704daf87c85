"""Who watches a session live, and what of it."""

from typing import Annotated

from pydantic import Field

from fleet.models.base import Record

Quality = Annotated[int, Field(ge=1, le=100)]
MaxFps = Annotated[int, Field(ge=1, le=30)]
MaxWidth = Annotated[int, Field(ge=100, le=3840)]


class FrameWishes(Record):
    """JPEG quality, frames per second, pixels: no more than that."""

    quality: Quality = 60
    max_fps: MaxFps = 10
    max_width: MaxWidth = 1280


class Viewer(Record):
    """`frames` is None for one that wants events alone."""

    id: str
    session_id: str
    frames: FrameWishes | None = None
