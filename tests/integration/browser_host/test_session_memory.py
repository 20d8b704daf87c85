"""What the pages of a session take in memory, told by Chrome and noted in the store."""

import asyncio
import time
from dataclasses import dataclass

import pytest

from fleet import keys
from fleet.models.session import EndReason
from fleet.store import Store
from tests.integration.browser_host.browser import Browser
from tests.pages.server import PagesServer
from workers.browser_host.open_context import OpenContext
from workers.browser_host.session_memory import SessionMemory
from workers.browser_host.sessions import HeldSession

MB = 2**20
# Nothing is handed back: it would be the whole buffer.
_BUFFER = "void (window.kept = new Uint8Array(30 * 1024 * 1024).fill(1))"
# Longer than a measurement waits; the page answers again afterwards.
_LOOP = "(() => { console.log('a loop begins'); const end = Date.now() + 3000; while (Date.now() < end); })()"


@dataclass
class Measured:
    """A session that the browser holds and the store knows, and what measures it."""

    browser: Browser
    store: Store
    memory: SessionMemory
    session_id: str

    @property
    def held(self) -> HeldSession:
        (held,) = [held for held in self.browser.sessions.all if held.id == self.session_id]
        return held

    @property
    def context(self) -> OpenContext:
        return self.browser.opened(self.session_id)

    async def evaluate(self, script: str) -> None:
        await (await self.context.ensure_page()).evaluate(script)

    async def measure(self) -> int | None:
        """What the store knows afterwards."""
        await self.memory.measure(self.browser.sessions.all)
        session = self.store.sessions.get(self.session_id)
        assert session is not None
        return session.memory_bytes


async def opened(browser: Browser, store: Store, *, apart_seconds: float = 0) -> Measured:
    session_id = await browser.open_session()
    return Measured(browser, store, SessionMemory(store.sessions, apart_seconds=apart_seconds), session_id)


async def test_an_open_session_has_a_size(browser: Browser, store: Store) -> None:
    size = await (await opened(browser, store)).measure()
    assert size is not None
    assert 0 < size < 30 * MB


async def test_a_buffer_counts_although_it_is_not_on_the_heap(browser: Browser, store: Store) -> None:
    session = await opened(browser, store)
    await session.evaluate(_BUFFER)
    size = await session.measure()
    assert size is not None
    assert size > 30 * MB


async def test_all_pages_of_a_session_count(browser: Browser, store: Store) -> None:
    session = await opened(browser, store)
    for page in (await session.context.ensure_page(), await session.context.context.new_page()):
        await page.evaluate(_BUFFER)
    size = await session.measure()
    assert size is not None
    assert size > 60 * MB


async def test_a_session_that_was_not_used_is_not_measured_again(browser: Browser, store: Store) -> None:
    session = await opened(browser, store)
    before = await session.measure()
    await session.evaluate(_BUFFER)
    assert await session.measure() == before


async def test_a_session_that_was_used_is_measured_again(browser: Browser, store: Store, pages: PagesServer) -> None:
    session = await opened(browser, store)
    before = await session.measure()
    await browser.capture_in(session.session_id, f"{pages.url}/plain")
    await session.evaluate(_BUFFER)
    after = await session.measure()
    assert before is not None
    assert after is not None
    assert after > before + 20 * MB


async def test_a_session_is_not_measured_twice_in_a_short_time(browser: Browser, store: Store) -> None:
    session = await opened(browser, store, apart_seconds=3600)
    before = await session.measure()
    await session.evaluate(_BUFFER)
    session.held.used_at = time.monotonic()
    assert await session.measure() == before


async def in_a_loop(session: Measured) -> asyncio.Future[None]:
    """Ends when the loop does."""
    page = await session.context.ensure_page()
    async with page.expect_console_message():
        return asyncio.ensure_future(session.evaluate(_LOOP))


async def test_a_page_in_a_loop_keeps_no_other_session_from_being_measured(browser: Browser, store: Store) -> None:
    looping, other = await opened(browser, store), await opened(browser, store)
    loop = await in_a_loop(looping)
    assert await other.measure() is not None
    await loop


async def test_a_page_in_a_loop_is_measured_when_it_answers_again(browser: Browser, store: Store) -> None:
    session = await opened(browser, store)
    loop = await in_a_loop(session)
    assert await session.measure() is None
    await loop
    assert await session.measure() is not None


async def test_a_session_that_the_store_has_ended_is_not_brought_back(browser: Browser, store: Store) -> None:
    session = await opened(browser, store)
    store.sessions.end(session.session_id, EndReason.DELETED)
    await session.memory.measure(browser.sessions.all)
    assert not store.client.exists(keys.session(session.session_id))


async def test_the_largest_session_is_known(browser: Browser, store: Store) -> None:
    small, large = await opened(browser, store), await opened(browser, store)
    await large.evaluate(_BUFFER)
    await large.measure()
    assert [session_id for session_id, _ in large.memory.largest_first()] == [large.session_id, small.session_id]


async def test_a_session_that_gave_its_memory_back_is_the_largest_no_more(browser: Browser, store: Store) -> None:
    other, large = await opened(browser, store), await opened(browser, store, apart_seconds=1000)
    await large.evaluate(_BUFFER)
    await large.measure()
    await (await large.context.ensure_page()).goto("about:blank")
    await (await other.context.ensure_page()).evaluate("void (window.kept = new Uint8Array(5 * 1024 * 1024).fill(1))")
    await large.memory.measure_largest(browser.sessions.all)
    assert [session_id for session_id, _ in large.memory.largest_first()] == [other.session_id, large.session_id]


async def test_a_closed_session_is_forgotten(browser: Browser, store: Store) -> None:
    session = await opened(browser, store)
    await session.measure()
    await browser.close_session(session.session_id)
    await session.memory.measure(browser.sessions.all)
    assert session.memory.largest_first() == []


@pytest.mark.parametrize("url", ["about:blank", "data:text/html,<p>here"])
async def test_measuring_leaves_the_page_as_it_is(browser: Browser, store: Store, url: str) -> None:
    session = await opened(browser, store)
    page = await session.context.ensure_page()
    await page.goto(url)
    await session.measure()
    assert page.url == url
