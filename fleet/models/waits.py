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
# What a client writes itself may hold its secrets.
Expression = Annotated[str, Field(min_length=1, max_length=65_536, repr=False)]
WaitUntil = Literal["commit", "domcontentloaded", "load", "networkidle"]


class Goto(Input):
    wait_until: WaitUntil = "load"
    timeout: Milliseconds = 30_000
    referer: HttpUrl | None = None


class WaitForSelector(Input):
    selector: Selector
    state: Literal["attached", "detached", "visible", "hidden"] = "visible"
    timeout: Milliseconds = 30_000


class WaitForFunction(Input):
    """Until the expression, or the function that it is, gives something that counts as true."""

    expression: Expression
    timeout: Milliseconds = 30_000


class ScrollPage(Input):
    """`step`, `max_height`: CSS pixels; no step: the height of the viewport. `delay`, `max_time`: milliseconds."""

    step: Annotated[int, Field(ge=10, le=100_000)] | None = None
    delay: Annotated[int, Field(ge=10, le=5_000)] = 100
    max_height: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    max_time: Annotated[int, Field(ge=1, le=60_000)] = 10_000
