"""One page visit: open it, let it settle, take every output from that one load."""

import time
from dataclasses import dataclass

from playwright.async_api import CDPSession, Page

from fleet.errors import PageCrashed
from fleet.models.capture import CaptureRequest
from fleet.models.manifest import PageVisit, Timings
from workers.browser_host.actions import run_actions
from workers.browser_host.chrome import Chrome
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.heap_watch import Heap, HeapWatch
from workers.browser_host.navigation import open_page, redirects, settle
from workers.browser_host.outputs import TakenOutput, take_output
from workers.browser_host.page_reading import evaluated
from workers.browser_host.page_watch import PageWatch
from workers.browser_host.popups import close_page, close_popups
from workers.browser_host.racing import beside
from workers.browser_host.renderer import Renderer
from workers.browser_host.script_stop import ScriptStop
from workers.browser_host.service_workers import keep_removing_hung_service_workers, remove_hung_service_workers
from workers.browser_host.translation import page_errors

# An element named `title` takes the place of `document.title`.
_TITLE = "Object.getOwnPropertyDescriptor(Document.prototype, 'title').get.call(document)"


@dataclass(frozen=True)
class Taken:
    visit: PageVisit
    outputs: list[TakenOutput]


class Captures:
    """Takes captures from pages that others own; after an error a page may be in any state."""

    def __init__(self, egress: EgressProxy) -> None:
        self._egress = egress

    async def take(self, chrome: Chrome, page: Page, request: CaptureRequest) -> Taken:
        """`chrome` is the page's. Raises a PageError, InvalidRequest or BrowserUnavailable."""
        await chrome.idle.end(page)
        await remove_hung_service_workers(page)
        try:
            with page_errors(), self._watch(chrome, page, request) as watch:
                return await watch.unless_crashed(self._within_limits(chrome, page, request, watch))
        except PageCrashed as crashed:
            raise await chrome.crash_of(page) from crashed
        except BaseException:
            await close_popups(page)
            raise
        finally:
            await remove_hung_service_workers(page)
            chrome.idle.begin(page)

    def _watch(self, chrome: Chrome, page: Page, request: CaptureRequest) -> PageWatch:
        return PageWatch(page, self._egress, chrome.limits, leaves=request.url is not None)

    async def _within_limits(self, chrome: Chrome, page: Page, request: CaptureRequest, watch: PageWatch) -> Taken:
        limits = chrome.limits
        renderer = await Renderer.of(page)
        await chrome.crashes.know(page, renderer.cdp)
        warnings: list[str] = []
        stop, heap = ScriptStop(renderer, warnings), Heap(page, renderer)
        looks = HeapWatch(page, heap, limits, stop, leaves=request.url is not None)
        work = beside(looks.watch(), self._visit(page, renderer.cdp, request, watch, warnings))
        taken = await watch.unless_flooded(stop, beside(keep_removing_hung_service_workers(page, limits), work))
        if stop.has_stopped:
            await close_popups(page)
            await close_page(page)
        # A session's page lives for many captures. After an error it does not.
        await heap.close()
        return taken

    async def _visit(
        self, page: Page, cdp: CDPSession, request: CaptureRequest, watch: PageWatch, warnings: list[str]
    ) -> Taken:
        started = time.perf_counter()
        response = await open_page(page, request, self._egress)
        watch.has_arrived = True
        navigated = time.perf_counter()
        await settle(page, request)
        warnings += await run_actions(page, request, self._egress)
        settled = time.perf_counter()
        outputs = [await take_output(page, cdp, output, warnings) for output in request.outputs]
        title = await _title(cdp)
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
            browser_version=_version(page),
            timings=Timings(
                navigate=_ms(navigated - started), settle=_ms(settled - navigated), capture=_ms(captured - settled)
            ),
        )
        return Taken(visit, outputs)


async def _title(cdp: CDPSession) -> str:
    title = await evaluated(cdp, _TITLE)
    # A page can put anything in its place all the same.
    return title if isinstance(title, str) else ""


def _version(page: Page) -> str:
    browser = page.context.browser
    return browser.version if browser else ""


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
