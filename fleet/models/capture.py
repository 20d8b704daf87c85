"""What a client asks of one page visit."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from fleet.models.base import HttpUrl, Input
from fleet.models.context import ContextOptions
from fleet.models.outputs import Output, Screenshot

# Milliseconds, as in Playwright.
CAPTURE_TIMEOUT_DEFAULT = 60_000
CAPTURE_TIMEOUT_MAX = 300_000

Milliseconds = Annotated[int, Field(ge=1, le=CAPTURE_TIMEOUT_MAX)]


class Goto(Input):
    wait_until: Literal["commit", "domcontentloaded", "load", "networkidle"] = "load"
    timeout: Milliseconds = 30_000
    referer: HttpUrl | None = None


class WaitForSelector(Input):
    selector: Annotated[str, Field(min_length=1, max_length=4096)]
    state: Literal["attached", "detached", "visible", "hidden"] = "visible"
    timeout: Milliseconds = 30_000


class CaptureRequest(Input):
    """Body of a capture in a session."""

    url: HttpUrl | None = None
    html: Annotated[str, Field(max_length=8 * 1024 * 1024)] | None = None
    goto: Goto = Goto()
    wait_for_selector: WaitForSelector | None = None
    wait_for_timeout: Annotated[int, Field(ge=0, le=60_000)] | None = None
    outputs: Annotated[list[Output], Field(min_length=1, max_length=20)] = [Screenshot(kind="screenshot")]
    timeout: Milliseconds = CAPTURE_TIMEOUT_DEFAULT

    @property
    def acts(self) -> bool:
        """Whether running it a second time might not be harmless."""
        return False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.url is not None and self.html is not None:
            raise PydanticCustomError("contradiction", "give url or html, not both", {"field": "url"})
        return self


class OneShotCaptureRequest(CaptureRequest):
    """Body of a capture in a fresh context that ends with the job."""

    context: ContextOptions = ContextOptions()

    @model_validator(mode="after")
    def _some_source(self) -> Self:
        if self.url is None and self.html is None:
            raise PydanticCustomError("missing", "give url or html: a fresh context has no page yet", {"field": "url"})
        return self
