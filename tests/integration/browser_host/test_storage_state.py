"""What a session knows of its visitor can be taken out and given to another session, unchanged."""

from typing import Any

import pytest

from fleet.errors import SessionEnded
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser
from tests.pages.server import PagesServer
from tests.pages.state_pages import DONE, address

_FILL_A_BASKET = """
    const opening = indexedDB.open('shop', 3);
    opening.onupgradeneeded = () => opening.result.createObjectStore('basket', {keyPath: 'id'});
    await new Promise((opened) => { opening.onsuccess = opened; });
    const writing = opening.result.transaction('basket', 'readwrite');
    writing.objectStore('basket').put({id: 1, when: new Date(0), price: Infinity, raw: new Uint8Array([7, 9])});
    await new Promise((written) => { writing.oncomplete = written; });
"""
_READ_THE_BASKET = """
    const opening = indexedDB.open('shop', 3);
    await new Promise((opened) => { opening.onsuccess = opened; });
    const reading = opening.result.transaction('basket').objectStore('basket').get(1);
    await new Promise((read) => { reading.onsuccess = read; });
    const {when, price, raw} = reading.result;
    return {when: when.toISOString(), price: String(price), raw: [...raw]};
"""


async def run(browser: Browser, session_id: str, url: str) -> Any:
    captured = await browser.capture_in(
        session_id, url, outputs=[HTML_OUTPUT], wait_for_selector={"selector": DONE, "state": "attached"}
    )
    return captured.told


async def test_the_state_has_the_cookies_and_local_storage_of_the_session(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/cookie")
    state = await browser.storage_state(session_id)
    assert [(cookie["name"], cookie["value"]) for cookie in state["cookies"]] == [("visits", "1")]
    (origin,) = state["origins"]
    assert (origin["origin"], origin["localStorage"]) == (pages.url, [{"name": "visits", "value": "1"}])


async def test_the_state_has_origins_that_the_page_has_left(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/cookie")
    await browser.capture_in(session_id, pages.url.replace("127.0.0.1", "localhost") + "/plain")
    loads_before = pages.requests("/cookie")
    state = await browser.storage_state(session_id)
    assert [origin["origin"] for origin in state["origins"]] == [pages.url]
    assert pages.requests("/cookie") == loads_before


async def test_a_session_stands_where_it_stood(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/plain")
    await browser.storage_state(session_id)
    assert (await browser.capture_in(session_id)).visit.title == "Plain"


async def test_a_session_seeded_with_a_state_goes_on_where_the_first_was(browser: Browser, pages: PagesServer) -> None:
    state = await browser.storage_state(await browser.open_session(url=f"{pages.url}/cookie"))
    seeded = await browser.open_session(storage_state=state)
    captured = await browser.capture_in(seeded, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    assert captured.told == {"cookie": 1, "storage": 1}


async def test_a_session_seeded_with_a_state_has_its_indexed_db(browser: Browser, pages: PagesServer) -> None:
    first = await browser.open_session()
    await run(browser, first, address(pages.url, _FILL_A_BASKET))
    seeded = await browser.open_session(storage_state=await browser.storage_state(first))
    basket = await run(browser, seeded, address(pages.url, _READ_THE_BASKET))
    assert basket == {"when": "1970-01-01T00:00:00.000Z", "price": "Infinity", "raw": [7, 9]}


@pytest.fixture
def partitioned() -> dict[str, Any]:
    """A cookie that Chrome keeps for one site below another."""
    return {
        "name": "part",
        "value": "1",
        "domain": "embedded.example",
        "path": "/",
        "expires": -1,
        "httpOnly": True,
        "secure": True,
        "sameSite": "None",
        "partitionKey": "https://top.example",
        "_crHasCrossSiteAncestor": True,
    }


async def test_the_state_of_a_seeded_session_is_the_state_that_seeded_it(
    browser: Browser, pages: PagesServer, partitioned: dict[str, Any]
) -> None:
    cookie = {"name": "visits", "value": "7", "url": pages.url}
    first = await browser.open_session(storage_state={"cookies": [cookie, partitioned]})
    await browser.capture_in(first, f"{pages.url}/cookie")
    await run(browser, first, address(pages.url, _FILL_A_BASKET))
    state = await browser.storage_state(first)
    again = await browser.storage_state(await browser.open_session(storage_state=state))
    assert partitioned in state["cookies"]
    assert again == state


async def test_a_closed_session_has_no_state(browser: Browser) -> None:
    session_id = await browser.open_session()
    await browser.close_session(session_id)
    with pytest.raises(SessionEnded):
        await browser.storage_state(session_id)
