"""A capture takes the page at the moment that the request names."""

import pytest

from tests.integration.browser_host.browser import HTML_OUTPUT, Browser
from tests.pages.server import PagesServer

LATE = '<p id="late">Here I am</p>'


async def test_without_a_wait_a_late_element_is_missed(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/late", outputs=[HTML_OUTPUT])
    assert LATE not in captured.text


async def test_wait_for_selector_waits_until_the_element_is_there(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(
        f"{pages.url}/late", wait_for_selector={"selector": "#late"}, outputs=[HTML_OUTPUT]
    )
    assert LATE in captured.text


async def test_wait_for_selector_waits_until_the_element_has_gone(browser: Browser) -> None:
    html = "<p id=loading>Loading</p><script>setTimeout(() => document.querySelector('p').remove(), 300)</script>"
    waiting = {"selector": "#loading", "state": "detached"}
    captured = await browser.capture(html=html, wait_for_selector=waiting, outputs=[HTML_OUTPUT])
    assert "Loading</p>" not in captured.text


@pytest.mark.parametrize("expression", ["document.querySelector('#late')", "() => !!document.querySelector('#late')"])
async def test_wait_for_function_waits_until_it_is_true(browser: Browser, pages: PagesServer, expression: str) -> None:
    captured = await browser.capture(
        f"{pages.url}/late", wait_for_function={"expression": expression}, outputs=[HTML_OUTPUT]
    )
    assert LATE in captured.text


async def test_wait_for_function_goes_on_with_the_page_that_comes_next(browser: Browser, pages: PagesServer) -> None:
    waiting = {"expression": "document.title === 'Plain'"}
    captured = await browser.capture(f"{pages.url}/hop", wait_for_function=waiting, goto={"wait_until": "commit"})
    assert captured.visit.title == "Plain"


async def test_wait_for_timeout_lets_the_page_go_on(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/late", wait_for_timeout=900, outputs=[HTML_OUTPUT])
    assert LATE in captured.text


@pytest.mark.parametrize(
    ("wait_until", "seen"), [("commit", False), ("domcontentloaded", False), ("load", True), ("networkidle", True)]
)
async def test_wait_until_decides_whether_a_slow_image_is_waited_for(
    browser: Browser, pages: PagesServer, wait_until: str, seen: bool
) -> None:
    captured = await browser.capture(f"{pages.url}/images", goto={"wait_until": wait_until}, outputs=[HTML_OUTPUT])
    assert ("image of 1 pixel is there" in captured.text) is seen


async def test_networkidle_waits_for_what_scripts_fetch_after_load(browser: Browser, pages: PagesServer) -> None:
    goto = {"wait_until": "networkidle"}
    captured = await browser.capture(f"{pages.url}/fetching", goto=goto, outputs=[HTML_OUTPUT])
    assert "fetched 35 bytes" in captured.text


async def test_a_page_that_never_ends_can_be_captured_from_its_beginning(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/slow", goto={"wait_until": "commit"}, outputs=[HTML_OUTPUT])
    assert captured.visit.status == 200


async def test_the_referer_is_sent(browser: Browser, pages: PagesServer) -> None:
    goto = {"referer": "http://elsewhere.example/page"}
    captured = await browser.capture(f"{pages.url}/headers", goto=goto, outputs=[HTML_OUTPUT])
    assert captured.told["referer"] == "http://elsewhere.example/page"


async def _seen(browser: Browser, pages: PagesServer, **scroll: int) -> dict[str, int]:
    """How many blocks of /endless had come into sight, each 500 pixels high, and where the page was in the end."""
    captured = await browser.capture(f"{pages.url}/endless?12", scroll_page=scroll, outputs=[HTML_OUTPUT])
    told: dict[str, int] = captured.told
    return told


async def test_scroll_page_goes_to_the_end_of_a_page_that_grows_and_back_to_its_top(
    browser: Browser, pages: PagesServer
) -> None:
    assert await _seen(browser, pages, delay=250) == {"blocks": 12, "top": 0}


async def test_scroll_page_ends_at_max_height(browser: Browser, pages: PagesServer) -> None:
    seen = await _seen(browser, pages, delay=250, max_height=3_000)
    assert 3_000 / 500 <= seen["blocks"] < 12


async def test_scroll_page_ends_after_max_time(browser: Browser, pages: PagesServer) -> None:
    seen = await _seen(browser, pages, delay=1_000, step=10, max_time=300)
    assert (seen["blocks"] < 12, seen["top"]) == (True, 0)
