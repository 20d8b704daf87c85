"""Bringing a page to where it can be captured: opening it, then the waits."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Request, Response

from fleet.errors import FleetError
from fleet.models.capture import CaptureRequest
from fleet.models.manifest import Redirect
from fleet.models.waits import Goto
from workers.browser_host import expressions
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.page_scroll import scroll_page
from workers.browser_host.translation import WhyNotConnected, is_broken_off, navigation_errors, wait_errors

_BROKEN_OFF_SECONDS = 0.3


async def open_page(page: Page, request: CaptureRequest, egress: EgressProxy) -> Response | None:
    """The main document's response; None for html, or for the page as it stands."""
    if request.url is not None:
        return await goto(page, request.url, request.goto, egress)
    if request.html is not None:
        with navigation_errors(request.goto.timeout, request.goto.wait_until, lambda: None):
            await page.set_content(request.html, wait_until=request.goto.wait_until, timeout=request.goto.timeout)
    return None


async def goto(page: Page, url: str, options: Goto, egress: EgressProxy) -> Response | None:
    with (
        _refusals(page, url, egress) as why_not_connected,
        navigation_errors(options.timeout, options.wait_until, why_not_connected),
    ):
        return await _goto(page, url, options)


async def _goto(page: Page, url: str, options: Goto) -> Response | None:
    """Raises Playwright's errors. A navigation that Chrome breaks off is tried once more."""
    began = time.monotonic()

    async def go(within_ms: float) -> Response | None:
        return await page.goto(url, wait_until=options.wait_until, timeout=within_ms, referer=options.referer)

    try:
        return await go(options.timeout)
    except PlaywrightError as error:
        if not is_broken_off(error):
            raise
    # That its renderer has died comes to be known a moment later, and ends the capture.
    await asyncio.sleep(_BROKEN_OFF_SECONDS)
    return await go(max(1, options.timeout - (time.monotonic() - began) * 1000))


@contextmanager
def _refusals(page: Page, url: str, egress: EgressProxy) -> Iterator[WhyNotConnected]:
    """Chrome's error names the URL that was asked for; the hop that failed may be one that it redirected to."""
    visited = [url]

    def note(request: Request) -> None:
        if request.is_navigation_request() and request.frame == page.main_frame:
            visited.append(request.url)

    def why() -> FleetError | None:
        return next((error for hop in reversed(visited) if (error := egress.failure_of(hop))), None)

    page.on("requestfailed", note)
    try:
        yield why
    finally:
        page.remove_listener("requestfailed", note)


async def settle(page: Page, request: CaptureRequest) -> None:
    if (wanted := request.wait_for_selector) is not None:
        what = f"wait_for_selector '{wanted.selector}' ({wanted.state})"
        with wait_errors(what, wanted.timeout):
            await page.locator(wanted.selector).first.wait_for(state=wanted.state, timeout=wanted.timeout)
    if (expected := request.wait_for_function) is not None:
        with wait_errors("wait_for_function", expected.timeout):
            async with asyncio.timeout(expected.timeout / 1000):
                await expressions.come_true(page, expected.expression)
    if request.scroll_page is not None:
        await scroll_page(page, request.scroll_page)
    if request.wait_for_timeout:
        await page.wait_for_timeout(request.wait_for_timeout)


async def redirects(response: Response | None) -> list[Redirect]:
    """The hops before the final URL, first hop first. Chrome itself follows at most 20."""
    hops: list[Redirect] = []
    request: Request | None = response.request.redirected_from if response else None
    while request is not None:
        hop = await request.response()
        hops.append(Redirect(url=request.url, status=hop.status if hop else None))
        request = request.redirected_from
    return hops[::-1]
