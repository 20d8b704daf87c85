"""Screenshots: straight over CDP where Playwright adds nothing to the picture, by Playwright where it does.

Playwright's own call costs about 30 ms more for the same pixels: it waits for every font, without a bound, for
frames, and encodes the smallest PNG. Here fonts are waited for within a bound, and the wait is told when it fails.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from fleet.errors import SelectorNotFound
from fleet.models.outputs import SCREENSHOT_MAX_PIXELS_HIGH, Screenshot

# The page has settled before outputs are taken, so an element that is not there now hardly comes later.
_SELECTOR_PATIENCE_MS = 2_000
# A font that is not there by then mostly hangs for good; the fallback font is in the picture instead.
_FONTS_PATIENCE_MS = 3_000
# Chrome now and then refuses a screenshot right after a load; the next try succeeds.
_REFUSED = "Unable to capture screenshot"

_PAGE_STATE = """(() => {
  const root = document.documentElement, focused = document.activeElement;
  return {
    width: root.scrollWidth, height: root.scrollHeight, ratio: devicePixelRatio,
    fonts_pending: document.fonts.status === 'loading',
    has_caret: !!focused && (focused.isContentEditable || /^(INPUT|TEXTAREA|IFRAME)$/.test(focused.tagName)),
  };
})()"""
_FONTS_READY = "document.fonts.ready.then(() => true)"


@dataclass(frozen=True)
class _PageState:
    """`width`, `height`: of the whole document, in CSS pixels."""

    width: float
    height: float
    ratio: float
    fonts_pending: bool
    has_caret: bool


async def take_screenshot(page: Page, output: Screenshot, warnings: list[str]) -> bytes:
    """Raises SelectorNotFound or Playwright's errors. What is missing from the picture is said in `warnings`."""
    async with _cdp_session(page) as cdp:
        state = await _page_state(cdp)
        if state.fonts_pending:
            await _wait_for_fonts(cdp, warnings)
        if output.selector is not None:
            return await _element(page, output, output.selector)
        whole = _whole_page(state, warnings) if output.full_page else None
        if _is_plain(output, state):
            return await _over_cdp(cdp, output, whole)
        return await page.screenshot(**(_playwright_options(output) | ({"clip": whole} if whole else {})))


@asynccontextmanager
async def _cdp_session(page: Page) -> AsyncIterator[CDPSession]:
    """Detached at the end: a session's page lives for many captures."""
    cdp = await page.context.new_cdp_session(page)
    try:
        yield cdp
    finally:
        with contextlib.suppress(PlaywrightError):
            await cdp.detach()


async def _page_state(cdp: CDPSession) -> _PageState:
    answer = await cdp.send("Runtime.evaluate", {"expression": _PAGE_STATE, "returnByValue": True})
    return _PageState(**answer["result"]["value"])


async def _wait_for_fonts(cdp: CDPSession, warnings: list[str]) -> None:
    request = {"expression": _FONTS_READY, "awaitPromise": True, "timeout": _FONTS_PATIENCE_MS}
    try:
        async with asyncio.timeout(_FONTS_PATIENCE_MS / 1000):
            await cdp.send("Runtime.evaluate", request)
    except TimeoutError:
        warnings.append(f"Some fonts had not loaded after {_FONTS_PATIENCE_MS} ms; the picture shows fallback fonts.")


def _whole_page(state: _PageState, warnings: list[str]) -> dict[str, float]:
    """The document's area in CSS pixels, cut where Chrome can paint no further."""
    height = state.height
    if height * state.ratio > SCREENSHOT_MAX_PIXELS_HIGH:
        height = SCREENSHOT_MAX_PIXELS_HIGH // state.ratio
        warnings.append(f"The page is taller than {SCREENSHOT_MAX_PIXELS_HIGH} pixels; the screenshot ends there.")
    return {"x": 0, "y": 0, "width": state.width, "height": height}


def _is_plain(output: Screenshot, state: _PageState) -> bool:
    """Whether Playwright would do nothing to the page before the picture is taken."""
    hides_caret = state.has_caret and output.caret == "hide"
    changes = output.omit_background or output.animations == "disabled" or hides_caret
    # A clip, and a device scale factor, are Playwright's to work out.
    return not (changes or output.clip) and state.ratio == 1


async def _over_cdp(cdp: CDPSession, output: Screenshot, clip: dict[str, float] | None) -> bytes:
    request: dict[str, Any] = {"format": output.type, "optimizeForSpeed": output.type == "png"}
    if output.quality is not None:
        request["quality"] = output.quality
    if clip is not None:
        request |= {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
    try:
        answer = await cdp.send("Page.captureScreenshot", request)
    except PlaywrightError as error:
        if _REFUSED not in error.message:
            raise
        answer = await cdp.send("Page.captureScreenshot", request)
    return base64.b64decode(answer["data"])


async def _element(page: Page, output: Screenshot, selector: str) -> bytes:
    element = page.locator(selector).first
    try:
        await element.wait_for(state="visible", timeout=_SELECTOR_PATIENCE_MS)
    except PlaywrightTimeout as error:
        message = f"Nothing visible matches the selector '{selector}'. Wait for it with wait_for_selector."
        raise SelectorNotFound(message) from error
    options = _playwright_options(output)
    del options["full_page"]
    return await element.screenshot(**options)


def _playwright_options(output: Screenshot) -> dict[str, Any]:
    return output.model_dump(exclude_none=True, exclude={"kind", "selector"})
