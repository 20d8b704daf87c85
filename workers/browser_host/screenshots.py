"""Screenshots: straight over CDP where Playwright adds nothing to the picture, by Playwright where it does.

Playwright's own call costs about 30 ms more for the same pixels: it waits for every font, without a bound, for
frames, and encodes the smallest PNG. Here fonts are waited for within a bound, and the wait is told when it fails.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError
from pydantic import BaseModel, Field, ValidationError

from fleet.errors import CaptureFailed
from fleet.models.outputs import SCREENSHOT_MAX_PIXELS, SCREENSHOT_MAX_SIDE, Screenshot
from workers.browser_host.page_reading import evaluated
from workers.browser_host.translation import selector_errors

# The page has settled before outputs are taken, so an element that is not there now hardly comes later.
_SELECTOR_PATIENCE_MS = 2_000
# A font that is not there by then mostly hangs for good; the fallback font is in the picture instead.
_FONTS_PATIENCE_MS = 3_000
_REFUSED = "Unable to capture screenshot"
_REFUSALS_MAX = 4
_REFUSALS_APART_SECONDS = 0.25

_PAGE_STATE = """(() => {
  const root = document.documentElement, focused = document.activeElement;
  return {
    width: root.scrollWidth, height: root.scrollHeight, scroll_x: scrollX, scroll_y: scrollY, ratio: devicePixelRatio,
    fonts_pending: document.fonts.status === 'loading',
    has_caret: !!focused && (focused.isContentEditable || /^(INPUT|TEXTAREA|IFRAME)$/.test(focused.tagName)),
  };
})()"""
_FONTS_READY = "document.fonts.ready.then(() => true)"

Area = dict[str, float]


class _PageState(BaseModel):
    """`width`, `height`: of the whole document, in CSS pixels. Read from the page, so not to be trusted blindly."""

    width: Annotated[float, Field(gt=0)]
    height: Annotated[float, Field(gt=0)]
    scroll_x: float
    scroll_y: float
    ratio: Annotated[float, Field(gt=0)]
    fonts_pending: bool
    has_caret: bool


async def take_screenshot(page: Page, cdp: CDPSession, output: Screenshot, warnings: list[str]) -> bytes:
    """Raises SelectorNotFound, InvalidRequest or Playwright's errors.

    What is missing from the picture is said in `warnings`.
    """
    state = await _page_state(cdp)
    if state.fonts_pending:
        await _wait_for_fonts(cdp, warnings)
    if output.selector is not None:
        return await _element(page, output, state, warnings)
    whole = _cut({"x": 0, "y": 0, "width": state.width, "height": state.height}, state.ratio, warnings)
    area = whole if output.full_page else None
    picture = await _over_cdp(cdp, output, area) if _is_plain(output, state) else None
    options = _playwright_options(output) | ({"clip": area} if area else {})
    return picture or await _unless_refused(lambda: page.screenshot(**options))


async def _page_state(cdp: CDPSession) -> _PageState:
    try:
        return _PageState.model_validate(await evaluated(cdp, _PAGE_STATE))
    except ValidationError as error:
        raise CaptureFailed("The page's own scripts keep its size from being read.") from error


async def _wait_for_fonts(cdp: CDPSession, warnings: list[str]) -> None:
    request = {"expression": _FONTS_READY, "awaitPromise": True, "timeout": _FONTS_PATIENCE_MS}
    try:
        async with asyncio.timeout(_FONTS_PATIENCE_MS / 1000):
            await cdp.send("Runtime.evaluate", request)
    except TimeoutError:
        warnings.append(f"Some fonts had not loaded after {_FONTS_PATIENCE_MS} ms; the picture shows fallback fonts.")


def _cut(area: Area, ratio: float, warnings: list[str]) -> Area:
    """The part of an area, in CSS pixels, that Chrome can paint and a worker can hold."""
    width = min(area["width"], SCREENSHOT_MAX_SIDE // ratio)
    height = min(area["height"], SCREENSHOT_MAX_SIDE // ratio, SCREENSHOT_MAX_PIXELS // (width * ratio**2))
    if (width, height) != (area["width"], area["height"]):
        sides = f"{area['width'] * ratio:g} x {area['height'] * ratio:g}"
        warnings.append(
            f"{sides} pixels are too large for a picture; it ends at {width * ratio:g} x {height * ratio:g}."
        )
    return {**area, "width": width, "height": height}


def _is_plain(output: Screenshot, state: _PageState) -> bool:
    """Whether Playwright would do nothing to the page before the picture is taken."""
    hides_caret = state.has_caret and output.caret == "hide"
    changes = output.omit_background or output.animations == "disabled" or hides_caret
    # A clip, and a device scale factor, are Playwright's to work out.
    return not (changes or output.clip) and state.ratio == 1


async def _over_cdp(cdp: CDPSession, output: Screenshot, area: Area | None) -> bytes | None:
    """None: Chrome refused, as it now and then does right after a load; Playwright's way takes longer and works."""
    request: dict[str, Any] = {"format": output.type, "optimizeForSpeed": output.type == "png"}
    if output.quality is not None:
        request["quality"] = output.quality
    if area is not None:
        request |= {"clip": {**area, "scale": 1}, "captureBeyondViewport": True}
    try:
        answer = await cdp.send("Page.captureScreenshot", request)
    except PlaywrightError as error:
        if _REFUSED in error.message:
            return None
        raise
    return base64.b64decode(answer["data"])


async def _element(page: Page, output: Screenshot, state: _PageState, warnings: list[str]) -> bytes:
    element = page.locator(output.selector or "").first
    with selector_errors(output.selector or ""):
        await element.wait_for(state="visible", timeout=_SELECTOR_PATIENCE_MS)
    options = _playwright_options(output)
    box = await element.bounding_box()
    area: Area = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]} if box else {}
    if area and (cut := _cut(area, state.ratio, warnings)) != area:
        in_document = {**cut, "x": cut["x"] + state.scroll_x, "y": cut["y"] + state.scroll_y}
        return await _unless_refused(lambda: page.screenshot(**(options | {"full_page": True, "clip": in_document})))
    del options["full_page"]
    return await _unless_refused(lambda: element.screenshot(**options))


async def _unless_refused(take: Callable[[], Awaitable[bytes]]) -> bytes:
    """Tried again a few times: on a busy machine a Chrome that has just started refuses more than once."""
    for _ in range(_REFUSALS_MAX):
        try:
            return await take()
        except PlaywrightError as error:
            if _REFUSED not in error.message:
                raise
            await asyncio.sleep(_REFUSALS_APART_SECONDS)
    return await take()


def _playwright_options(output: Screenshot) -> dict[str, Any]:
    return output.model_dump(exclude_none=True, exclude={"kind", "selector"})
