"""A context that was opened in a Chrome that has died meanwhile is not taken for the session's."""

import pytest

from fleet.errors import BrowserUnavailable
from tests.integration.browser_host.browser import Browser
from tests.pages.server import PagesServer
from workers.browser_host.open_context import OpenContext
from workers.browser_host.sessions import HeldSession


async def test_a_session_whose_chrome_dies_as_it_is_rebuilt_is_rebuilt_again(
    own_browser: Browser, pages: PagesServer
) -> None:
    session_id = await own_browser.open_session()
    (held,) = own_browser.sessions.all
    await own_browser.sessions.park(held)
    rebuild = own_browser.sessions._rebuild

    async def rebuild_and_die(held: HeldSession) -> OpenContext:
        own_browser.sessions._rebuild = rebuild
        opened = await rebuild(held)
        opened.chrome.kill()
        await opened.chrome.ended.wait()
        return opened

    own_browser.sessions._rebuild = rebuild_and_die
    with pytest.raises(BrowserUnavailable):
        await own_browser.capture_in(session_id, f"{pages.url}/plain")
    assert (await own_browser.capture_in(session_id, f"{pages.url}/plain")).visit.title == "Plain"
