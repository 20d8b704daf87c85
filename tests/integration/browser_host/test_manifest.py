"""What the manifest says of a visit is what happened."""

from tests.integration.browser_host.browser import Browser
from tests.pages.server import PagesServer


async def test_redirects_are_listed_in_order_with_their_statuses(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/redirect/3")
    hops = [(hop.url.removeprefix(pages.url), hop.status) for hop in captured.visit.redirects]
    assert hops == [("/redirect/3", 302), ("/redirect/2", 302), ("/redirect/1", 302)]


async def test_the_final_url_is_where_the_redirects_led(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/redirect/3")
    visit = captured.visit
    assert (visit.url, visit.final_url, visit.status) == (f"{pages.url}/redirect/3", f"{pages.url}/plain", 200)


async def test_console_errors_and_uncaught_exceptions_are_listed(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/console")
    texts = " | ".join(error.text for error in captured.visit.console_errors)
    assert "told on the console" in texts
    assert "missing is not defined" in texts


async def test_what_is_no_error_on_the_console_is_not_listed(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/console")
    assert "not an error" not in " | ".join(error.text for error in captured.visit.console_errors)


async def test_a_failed_request_is_listed_with_its_reason(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/console")
    (failed,) = captured.visit.failed_requests
    assert (failed.url, failed.method, failed.resource_type) == (f"{pages.url}/close", "GET", "image")
    assert failed.failure == "net::ERR_EMPTY_RESPONSE"


async def test_a_quiet_page_has_empty_lists(browser: Browser, pages: PagesServer) -> None:
    visit = (await browser.capture(f"{pages.url}/plain")).visit
    assert (visit.redirects, visit.console_errors, visit.failed_requests, visit.warnings) == ([], [], [], [])


async def test_the_browser_version_is_that_of_the_running_chrome(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/plain")
    assert captured.visit.browser_version == browser.keeper.version


async def test_a_visit_in_a_session_does_not_report_the_errors_of_the_one_before(
    browser: Browser, pages: PagesServer
) -> None:
    session_id = await browser.open_session()
    await browser.capture_in(session_id, f"{pages.url}/console")
    captured = await browser.capture_in(session_id, f"{pages.url}/plain")
    assert (captured.visit.console_errors, captured.visit.failed_requests) == ([], [])


async def test_an_element_named_title_is_not_the_title(browser: Browser) -> None:
    captured = await browser.capture(html="<title>The title</title><img name=title>")
    assert captured.visit.title == "The title"
