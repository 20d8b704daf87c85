"""A renderer that is ended for its memory costs its page, not its session."""

from tests.integration.browser_host.browser import Browser
from tests.pages.server import PagesServer


async def test_a_session_goes_on_after_its_page_was_ended_as_the_largest(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/plain")
    chrome = await browser.keeper.current()
    assert chrome._guard.end_largest(beyond_bytes=0)
    captured = await browser.capture_in(session_id, f"{pages.url}/plain")
    assert captured.visit.title == "Plain"


async def test_pages_that_take_no_more_than_they_may_are_left_alone(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/plain")
    chrome = await browser.keeper.current()
    assert not chrome.end_largest_page(beyond_bytes=0)
    assert (await browser.capture_in(session_id)).visit.title == "Plain"
