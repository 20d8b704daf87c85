"""What a client asks of one page visit."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from fleet.models.actions import Actions
from fleet.models.base import HttpUrl, Input, WebhookUrl
from fleet.models.context import ContextOptions
from fleet.models.outputs import Output, Screenshot
from fleet.models.waits import (
    CAPTURE_TIMEOUT_DEFAULT,
    Goto,
    Milliseconds,
    Pause,
    ScrollPage,
    WaitForFunction,
    WaitForSelector,
)


class CaptureOptions(Input):
    """What is asked of a page, whichever it is."""

    goto: Goto = Goto()
    wait_for_selector: WaitForSelector | None = None
    wait_for_function: WaitForFunction | None = None
    scroll_page: ScrollPage | None = None
    wait_for_timeout: Pause | None = None
    actions: Actions = []
    outputs: Annotated[list[Output], Field(min_length=1, max_length=20)] = [Screenshot(kind="screenshot")]
    timeout: Milliseconds = CAPTURE_TIMEOUT_DEFAULT


class CaptureRequest(CaptureOptions):
    """Body of a capture in a session."""

    url: HttpUrl | None = None
    html: Annotated[str, Field(max_length=8 * 1024 * 1024)] | None = None
    webhook_url: WebhookUrl | None = None

    @property
    def acts(self) -> bool:
        """Whether it may do something that a second run would do twice."""
        return bool(self.actions)

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
