"""What a session's pages receive is in the store as it happened, whoever made the page ask for it, and nothing else."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Page

from fleet.ids import new_id
from fleet.models.response import CapturedResponse
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.browser_host.browser import Browser, comes_true
from tests.integration.redis_server import RedisServer
from tests.pages.server import PagesServer
from workers.browser_host.response_recorder import ResponseRecorder


@dataclass
class Recording:
    """A session whose pages are recorded, if `record_responses` says so, at an empty page of `pages`."""

    browser: Browser
    store: Store
    pages: PagesServer
    session_id: str = ""

    async def open(self, record_responses: Any = True, **request: Any) -> "Recording":
        self.session_id = await self.browser.open_session(record_responses=record_responses, **request)
        self.store.sessions.create(
            self.session_id, ttl=600, max_lifetime=600, metadata={}, options_json="{}", job_id=new_id("job")
        )
        await self.page.goto(f"{self.pages.url}/plain")
        return self

    @property
    def page(self) -> Page:
        page = self.browser.opened(self.session_id).page
        assert page is not None
        return page

    @property
    def recorder(self) -> ResponseRecorder:
        recorder = self.browser.opened(self.session_id).recorder
        assert recorder is not None
        return recorder

    async def fetch(self, *paths: str) -> None:
        """One after the other, each read to its end or failure."""
        code = "async (paths) => { for (const path of paths) await fetch(path).then(it => it.text()).catch(() => 0) }"
        await self.page.evaluate(code, list(paths))

    @property
    def kept(self) -> list[CapturedResponse]:
        """Newest first."""
        return self.store.responses.newest(self.session_id, lambda _: True, limit=200, cursor=None).entries

    @property
    def paths(self) -> list[str]:
        """Oldest first."""
        return [one.request.url.removeprefix(self.pages.url) for one in reversed(self.kept)]

    async def kept_of(self, path: str) -> CapturedResponse:
        """The newest of that path, as soon as it is there."""
        await comes_true(lambda: path in self.paths)
        return next(one for one in self.kept if one.request.url == f"{self.pages.url}{path}")

    def body(self, response: CapturedResponse) -> bytes | None:
        return self.store.responses.body(self.session_id, response.id)


@pytest.fixture(scope="module")
def recording_browser(runner: asyncio.Runner, shared_redis: RedisServer) -> Iterator[tuple[Browser, Store]]:
    """With a store to record to."""
    store = open_store(Settings(redis_url=shared_redis.url), retries=0)
    opened = Browser(store)
    runner.run(opened.start())
    yield opened, store
    runner.run(opened.stop())
    store.client.close()


@pytest.fixture
def recording(
    recording_browser: tuple[Browser, Store], redis_server: RedisServer, pages: PagesServer, runner: asyncio.Runner
) -> Iterator[Recording]:
    browser, store = recording_browser
    yield Recording(browser, store, pages)
    runner.run(browser.close_sessions())


async def test_a_page_is_recorded_as_it_was_asked_for_and_answered(recording: Recording) -> None:
    await recording.open()
    response = await recording.kept_of("/plain")

    assert (response.request.method, response.resource_type) == ("GET", "document")
    assert (response.response.status, response.response.status_text) == (200, "OK")
    assert response.response.content.mime_type == "text/html; charset=utf-8"
    assert (response.failure, response.from_cache, response.from_service_worker) == (None, False, False)


async def test_a_body_is_kept_with_its_size_and_hash(recording: Recording) -> None:
    await recording.open()
    await recording.fetch("/bytes/5000")
    response = await recording.kept_of("/bytes/5000")

    assert recording.body(response) == b"b" * 5000
    assert (response.body_bytes, response.response.content.size) == (5000, 5000)
    assert response.body_sha256 == hashlib.sha256(b"b" * 5000).hexdigest()
    assert (response.body_truncated, response.body_evicted) == (False, False)


async def test_timings_are_parts_of_the_whole(recording: Recording) -> None:
    await recording.open()
    await recording.fetch("/slow-image/300")
    response = await recording.kept_of("/slow-image/300")

    assert response.timings.wait >= 290
    assert response.time >= response.timings.wait


async def test_cookies_are_recorded_both_ways(recording: Recording) -> None:
    await recording.open()
    await recording.fetch("/cookie", "/cookie?again")
    response = await recording.kept_of("/cookie?again")

    assert ("cookie", "visits=1") in {(one.name.lower(), one.value) for one in response.request.headers}
    assert ("set-cookie", "visits=2; Path=/") in {(one.name.lower(), one.value) for one in response.response.headers}


async def test_what_was_posted_is_counted_and_not_kept(recording: Recording) -> None:
    await recording.open()
    await recording.page.evaluate("fetch('/nowhere', {method: 'POST', body: 'x'.repeat(321)}).catch(() => 0)")

    assert (await recording.kept_of("/nowhere")).request.body_size == 321


async def test_every_hop_of_a_redirect_is_recorded(recording: Recording) -> None:
    await recording.open()
    await recording.fetch("/redirect/2")
    await comes_true(lambda: recording.paths[-3:] == ["/redirect/2", "/redirect/1", "/plain"])
    hops = [(one.response.status, one.response.redirect_url, one.body_evicted) for one in recording.kept[:3][::-1]]

    assert hops == [(302, "/redirect/1", False), (302, "/plain", False), (200, "", False)]


async def test_a_request_without_an_answer_is_recorded_as_a_failure(recording: Recording) -> None:
    await recording.open()
    await recording.fetch("/close")
    response = await recording.kept_of("/close")

    assert (response.response.status, response.failure) == (0, "net::ERR_EMPTY_RESPONSE")
    assert recording.body(response) is None


async def test_an_answer_that_breaks_off_is_recorded_as_a_failure(recording: Recording) -> None:
    await recording.open()
    is_asked = recording.pages.next_request("/slow")
    await recording.page.evaluate("window.stop_it = new AbortController(); void fetch('/slow', stop_it).catch(() => 0)")
    await comes_true(is_asked)
    await recording.page.evaluate("stop_it.abort()")

    assert (await recording.kept_of("/slow")).failure == "net::ERR_ABORTED"


async def test_what_came_from_the_cache_says_so(recording: Recording) -> None:
    await recording.open()
    await recording.fetch("/cached", "/cached")
    await comes_true(lambda: recording.paths.count("/cached") == 2)
    from_cache = [one.from_cache for one in recording.kept[::-1] if one.request.url.endswith("/cached")]

    assert from_cache == [False, True]


async def test_what_a_service_worker_answered_says_so(recording: Recording) -> None:
    await recording.open()
    await recording.page.evaluate(
        """async () => {
            const taken = new Promise((resolve) => navigator.serviceWorker.oncontrollerchange = resolve);
            await navigator.serviceWorker.register('/service-worker.js', {scope: '/'});
            await taken;
            await (await fetch('/asked')).text();
        }"""
    )
    response = await recording.kept_of("/asked")

    assert (response.from_service_worker, response.from_cache) == (True, False)
    assert recording.body(response) == b"by the worker"


async def test_a_body_above_the_limit_is_cut(recording: Recording) -> None:
    await recording.open({"body_limit": 1000})
    await recording.fetch("/bytes/5000")
    response = await recording.kept_of("/bytes/5000")

    assert recording.body(response) == b"b" * 1000
    assert (response.body_truncated, response.body_bytes, response.response.content.size) == (True, 1000, 5000)


async def test_a_body_at_the_limit_is_whole(recording: Recording) -> None:
    await recording.open({"body_limit": 1000})
    await recording.fetch("/bytes/1000")

    assert not (await recording.kept_of("/bytes/1000")).body_truncated


async def test_a_body_that_is_too_large_to_be_read_is_cut_to_nothing(recording: Recording) -> None:
    await recording.open()
    await recording.fetch("/bytes/5000000")
    response = await recording.kept_of("/bytes/5000000")

    assert (response.body_truncated, response.body_bytes, response.response.content.size) == (True, 0, 5_000_000)
    assert recording.body(response) is None


async def test_a_body_that_chrome_no_longer_has_is_said_to_be_evicted(recording: Recording) -> None:
    await recording.open()
    # More than Chrome keeps of one body.
    await recording.fetch("/gzip/40000000")
    response = await recording.kept_of("/gzip/40000000")

    assert (response.body_evicted, response.body_bytes, response.response.status) == (True, 0, 200)
    assert recording.body(response) is None


async def test_without_a_limit_for_bodies_none_is_kept(recording: Recording) -> None:
    await recording.open({"body_limit": 0})
    await recording.fetch("/bytes/5000")
    response = await recording.kept_of("/bytes/5000")

    assert (response.body_bytes, response.body_truncated, recording.body(response)) == (0, False, None)


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        ({"resource_types": ["document"]}, ["/plain", "/plain?2"]),
        ({"urls": ["*/bytes/1*", "*/cached"]}, ["/bytes/1", "/cached", "/bytes/10", "/bytes/1?2"]),
        ({"mime_types": ["text/*"]}, ["/plain", "/cached", "/plain?2", "/cached?2"]),
        ({"mime_types": ["Application/Octet-Stream"]}, ["/bytes/1", "/bytes/2", "/bytes/10", "/bytes/1?2"]),
        ({"resource_types": ["fetch"], "mime_types": ["text/plain"]}, ["/cached", "/cached?2"]),
    ],
    ids=str,
)
async def test_only_what_passes_every_filter_is_recorded(
    recording: Recording, wanted: dict[str, Any], paths: list[str]
) -> None:
    await recording.open(wanted)
    await recording.fetch("/bytes/1", "/cached", "/bytes/2", "/bytes/10")
    # They are written in order: once these are there, nothing of the first round is on its way any more.
    await recording.page.goto(f"{recording.pages.url}/plain?2")
    await recording.fetch("/bytes/1?2", "/cached?2")
    await recording.kept_of(paths[-1])

    assert recording.paths == paths


async def test_of_150_responses_of_50_kb_the_newest_100_are_kept(recording: Recording) -> None:
    await recording.open()
    paths = [f"/bytes/50000?{number}" for number in range(150)]
    await recording.fetch(*paths)
    await comes_true(lambda: recording.paths == paths[50:])

    assert {one.body_bytes + one.body_evicted * 50_000 for one in recording.kept} == {50_000}


async def test_a_flood_leaves_the_newest_and_no_more_than_those_in_hand(recording: Recording) -> None:
    await recording.open()
    held: list[int] = []
    recording.browser.opened(recording.session_id).context.on(
        "requestfinished", lambda _: held.append(len(recording.recorder._ended))
    )
    await recording.page.evaluate(
        """async () => {
            const url = URL.createObjectURL(new Blob(['x'.repeat(20000)]));
            for (let round = 0; round < 50; round += 1)
                await Promise.all(Array.from({length: 100}, (_, at) => fetch(url).then(it => it.text())));
            await fetch('/cached');
        }"""
    )
    await recording.kept_of("/cached")

    assert len(held) >= 5000
    assert max(held) <= 100
    assert len(recording.kept) == 100


async def test_recording_goes_on_between_captures(recording: Recording) -> None:
    await recording.open()
    await recording.browser.capture_in(recording.session_id, f"{recording.pages.url}/plain")
    await recording.page.evaluate("setInterval(() => fetch('/counted'), 50) && 0")

    await comes_true(lambda: recording.paths.count("/counted") >= 3)


async def test_recording_survives_the_replacement_of_the_page(recording: Recording) -> None:
    await recording.open()
    await recording.browser.opened(recording.session_id).discard_page()
    await recording.browser.capture_in(recording.session_id, f"{recording.pages.url}/counted")

    await recording.kept_of("/counted")


async def test_the_pages_that_a_page_opens_are_recorded(recording: Recording) -> None:
    await recording.open()
    await recording.page.evaluate("void open('/counted')")

    await recording.kept_of("/counted")


async def test_a_session_that_records_nothing_has_no_recorder_and_no_key(recording: Recording) -> None:
    await recording.open(record_responses=False)
    await recording.fetch("/bytes/1")

    assert recording.browser.opened(recording.session_id).recorder is None
    assert [key for key in recording.store.client.scan_iter("*") if ":responses" in str(key)] == []


async def test_each_session_has_its_own_responses(recording: Recording) -> None:
    other = await Recording(recording.browser, recording.store, recording.pages).open()
    await recording.open()
    await recording.fetch("/bytes/1")
    await recording.kept_of("/bytes/1")
    await other.kept_of("/plain")

    assert other.paths == ["/plain"]


async def test_the_end_of_a_session_ends_its_recording(recording: Recording) -> None:
    await recording.open()
    recorder = recording.recorder
    await recording.browser.close_session(recording.session_id)

    await comes_true(recorder._writing.done)


async def test_recording_goes_on_after_the_store_was_away(
    recording: Recording, own_redis: RedisServer, runner: asyncio.Runner
) -> None:
    store = open_store(Settings(redis_url=own_redis.url), retries=0)
    own = Recording(Browser(store), store, recording.pages)
    await own.browser.start()
    try:
        await own.open()
        await own.kept_of("/plain")
        await asyncio.to_thread(own_redis.stop)
        await own.fetch("/bytes/1")
        await comes_true(lambda: own.recorder.dropped)
        await asyncio.to_thread(own_redis.start)
        await own.fetch("/bytes/2")
        await own.kept_of("/bytes/2")
    finally:
        await own.browser.stop()
        store.client.close()
