"""One page visit: open it, let it settle, take every output from that one load."""

import time
from dataclasses import dataclass

from playwright.async_api import Page

from fleet.models.capture import CaptureRequest
from fleet.models.manifest import PageVisit, Timings
from workers.browser_host.actions import run_actions
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.navigation import open_page, redirects, settle
from workers.browser_host.outputs import TakenOutput, take_output
from workers.browser_host.page_watch import PageWatch
from workers.browser_host.translation import page_errors


@dataclass(frozen=True)
class Taken:
    visit: PageVisit
    outputs: list[TakenOutput]


class Captures:
    """Takes captures from pages that others own; after an error a page may be in any state."""

    def __init__(self, egress: EgressProxy) -> None:
        self._egress = egress

    async def take(self, page: Page, request: CaptureRequest, *, browser_version: str) -> Taken:
        """Raises a PageError, InvalidRequest or BrowserUnavailable."""
        with page_errors(), PageWatch(page, self._egress) as watch:
            return await watch.unless_crashed(self._take(page, request, watch, browser_version))

    async def _take(self, page: Page, request: CaptureRequest, watch: PageWatch, browser_version: str) -> Taken:
        started = time.perf_counter()
        response = await open_page(page, request, self._egress)
        navigated = time.perf_counter()
        await settle(page, request)
        warnings = await run_actions(page, request, self._egress)
        settled = time.perf_counter()
        outputs = [await take_output(page, output, warnings) for output in request.outputs]
        title = await page.title()
        captured = time.perf_counter()
        visit = PageVisit(
            url=request.url,
            final_url=page.url,
            redirects=await redirects(response),
            status=response.status if response else None,
            title=title,
            console_errors=watch.console_errors,
            failed_requests=watch.failed_requests,
            blocked_requests=watch.blocked_requests,
            warnings=warnings,
            browser_version=browser_version,
            timings=Timings(
                navigate=_ms(navigated - started), settle=_ms(settled - navigated), capture=_ms(captured - settled)
            ),
        )
        return Taken(visit, outputs)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
