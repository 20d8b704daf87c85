"""Taking one output from a page that is ready."""

from dataclasses import dataclass

from playwright.async_api import CDPSession, Page

from fleet.models.outputs import Html, Output, Pdf, Screenshot
from workers.browser_host import page_reading
from workers.browser_host.screenshots import take_screenshot
from workers.browser_host.translation import output_errors


@dataclass(frozen=True)
class TakenOutput:
    kind: str
    media_type: str
    content: bytes


async def take_output(page: Page, cdp: CDPSession, output: Output, warnings: list[str]) -> TakenOutput:
    """`cdp`: of that page. Raises SelectorNotFound or CaptureFailed. What was cut or left out is said in `warnings`."""
    with output_errors(output.kind):
        match output:
            case Screenshot():
                content = await take_screenshot(page, cdp, output, warnings)
            case Pdf():
                content = await page.pdf(**output.model_dump(exclude_none=True, exclude={"kind"}))
            case Html():
                # Chrome's strings may hold halves of surrogate pairs.
                content = (await page_reading.html(cdp)).encode(errors="replace")
    return TakenOutput(output.kind, output.media_type, content)
