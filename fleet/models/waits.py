"""What a page is waited for, and how long at most."""

from typing import Annotated, Literal

from pydantic import Field

from fleet.models.base import HttpUrl, Input

# Milliseconds, as in Playwright.
CAPTURE_TIMEOUT_DEFAULT = 60_000
CAPTURE_TIMEOUT_MAX = 300_000

Milliseconds = Annotated[int, Field(ge=1, le=CAPTURE_TIMEOUT_MAX)]
Pause = Annotated[int, Field(ge=0, le=60_000)]
Selector = Annotated[str, Field(min_length=1, max_length=4096)]
WaitUntil = Literal["commit", "domcontentloaded", "load", "networkidle"]


class Goto(Input):
    wait_until: WaitUntil = "load"
    timeout: Milliseconds = 30_000
    referer: HttpUrl | None = None


class WaitForSelector(Input):
    selector: Selector
    state: Literal["attached", "detached", "visible", "hidden"] = "visible"
    timeout: Milliseconds = 30_000
