"""Sessions keep what is theirs, share nothing, and give back their context."""

import asyncio

import pytest

from fleet.errors import FleetError, SessionEnded, WorkerFull
from tests.integration.browser_host.browser import HTML_OUTPUT, SESSION_LIMIT, Browser
from tests.pages.server import PagesServer


async def test_a_session_remembers_its_cookies_and_local_storage(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session()
    await browser.capture_in(session_id, f"{pages.url}/cookie")
    captured = await browser.capture_in(session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    assert captured.told == {"cookie": 1, "storage": 1}


async def test_two_sessions_share_neither_cookies_nor_local_storage(browser: Browser, pages: PagesServer) -> None:
    one, other = await browser.open_session(), await browser.open_session()
    await browser.capture_in(one, f"{pages.url}/cookie")
    captured = await browser.capture_in(other, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    assert captured.told == {"cookie": 0, "storage": 0}


async def test_one_shot_captures_share_neither_cookies_nor_local_storage(browser: Browser, pages: PagesServer) -> None:
    await browser.capture(f"{pages.url}/cookie")
    captured = await browser.capture(f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    assert captured.told == {"cookie": 0, "storage": 0}


async def test_a_capture_without_url_takes_the_page_as_it_stands(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/plain")
    loads_before = pages.requests("/plain")
    captured = await browser.capture_in(session_id)
    assert captured.visit.title == "Plain"
    assert pages.requests("/plain") == loads_before


async def test_a_closed_session_leaves_no_context(browser: Browser) -> None:
    session_id = await browser.open_session()
    held = await browser.contexts()
    assert await browser.close_session(session_id)
    assert (held, await browser.contexts()) == (1, 0)


async def test_a_closed_session_captures_no_more(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session()
    await browser.close_session(session_id)
    with pytest.raises(SessionEnded):
        await browser.capture_in(session_id, f"{pages.url}/plain")


async def test_a_session_whose_url_cannot_be_opened_leaves_no_context(browser: Browser, pages: PagesServer) -> None:
    with pytest.raises(FleetError) as raised:
        await browser.open_session(url=f"{pages.url}/close")
    assert raised.value.code == "connection_failed"
    assert (browser.sessions.ids, await browser.contexts()) == ([], 0)


async def test_no_more_sessions_are_held_than_the_limit(browser: Browser) -> None:
    opening = [browser.open_session() for _ in range(SESSION_LIMIT + 2)]
    outcomes = await asyncio.gather(*opening, return_exceptions=True)
    held = [outcome for outcome in outcomes if isinstance(outcome, str)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, WorkerFull)]
    assert (len(held), len(refused), await browser.contexts()) == (SESSION_LIMIT, 2, SESSION_LIMIT)
