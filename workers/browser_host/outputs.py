"""Taking one output from a page that is ready."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from fleet.errors import SelectorNotFound
from fleet.models.outputs import SCREENSHOT_MAX_PIXELS_HIGH, Html, Output, Pdf, Screenshot
from workers.browser_host.translation import output_errors

# The page has settled before outputs are taken, so an element that is not there now hardly comes later.
_SELECTOR_PATIENCE_MS = 2_000


@dataclass(frozen=True)
class TakenOutput:
    kind: str
    media_type: str
    content: bytes


async def take_output(page: Page, output: Output, warnings: list[str]) -> TakenOutput:
    """Raises SelectorNotFound or CaptureFailed. What was cut or left out is said in `warnings`."""
    with output_errors(output.kind):
        match output:
            case Screenshot():
                content = await _screenshot(page, output, warnings)
            case Pdf():
                content = await page.pdf(**_given(output))
            case Html():
                content = (await page.content()).encode()
    return TakenOutput(output.kind, output.media_type, content)


async def _screenshot(page: Page, output: Screenshot, warnings: list[str]) -> bytes:
    options = _given(output)
    selector = options.pop("selector", None)
    if selector is not None:
        return await _element(page, selector, options)
    if output.full_page and (cut := await _cut_height(page)):
        options["clip"] = cut
        warnings.append(f"The page is taller than {SCREENSHOT_MAX_PIXELS_HIGH} pixels; the screenshot ends there.")
    return await page.screenshot(**options)


async def _element(page: Page, selector: str, options: dict[str, Any]) -> bytes:
    del options["full_page"]
    element = page.locator(selector).first
    try:
        await element.wait_for(state="visible", timeout=_SELECTOR_PATIENCE_MS)
    except PlaywrightTimeout as error:
        message = f"Nothing visible matches the selector '{selector}'. Wait for it with wait_for_selector."
        raise SelectorNotFound(message) from error
    return await element.screenshot(**options)


async def _cut_height(page: Page) -> dict[str, float] | None:
    """The clip of a page that is too tall to be painted whole, else None."""
    size = await page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight, devicePixelRatio]"
    )
    width, height, ratio = size
    if height * ratio <= SCREENSHOT_MAX_PIXELS_HIGH:
        return None
    return {"x": 0, "y": 0, "width": width, "height": SCREENSHOT_MAX_PIXELS_HIGH // ratio}


def _given(output: Output) -> dict[str, Any]:
    """Playwright's keyword arguments."""
    return output.model_dump(exclude_none=True, exclude={"kind"})
