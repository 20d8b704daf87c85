"""Chrome under the word that memory runs short."""

from tests.integration.browser_host.browser import Browser
from tests.pages.server import PagesServer
from workers.browser_host.chrome_caches import drop_caches


async def test_pages_go_on_after_caches_were_dropped(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/plain")
    await drop_caches(await browser.chrome.ensure_started())
    assert (await browser.capture_in(session_id)).visit.title == "Plain"


async def test_a_chrome_that_is_gone_drops_nothing(own_browser: Browser) -> None:
    gone = await own_browser.chrome.ensure_started()
    await own_browser.chrome.stop()
    await drop_caches(gone)
