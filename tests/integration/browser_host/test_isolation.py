"""Whatever a page can leave behind stays in its session: each kind set in one, looked for in the others."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from fleet.models.context import ContextOptions
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser
from tests.pages.server import PagesServer
from tests.pages.state_pages import DONE, address

_DOWNLOAD = """
    const link = Object.assign(document.createElement('a'), {href: '/download', download: ''});
    document.body.append(link);
    link.click();
"""
_PASTE = "return await navigator.clipboard.readText()"


@dataclass(frozen=True)
class Kind:
    """`leave` leaves a mark, `find` returns whether it is there; both are bodies of async functions in a page."""

    name: str
    leave: str
    find: str
    # Of the session that leaves the mark; the others have none.
    options: dict[str, Any] = field(default_factory=dict)


# Asks whoever listens, and gives up after a time that is long for a message within one machine.
_ASK_THE_CHANNEL = """
    const channel = new BroadcastChannel('mark');
    const answered = new Promise((heard) => { channel.onmessage = () => heard(true); });
    channel.postMessage('is there anyone?');
    return Promise.race([answered, new Promise((silence) => setTimeout(() => silence(false), 400))]);
"""
_ANSWER_ON_THE_CHANNEL = """
    const channel = new BroadcastChannel('mark');
    channel.onmessage = () => channel.postMessage('here');
"""
_ASK_THE_SHARED_WORKER = """
    const worker = new SharedWorker('/shared-worker.js', 'mark');
    const answered = new Promise((heard) => { worker.port.onmessage = ({data}) => heard(data === 'mark'); });
    worker.port.postMessage(null);
    return answered;
"""
_TELL_THE_SHARED_WORKER = """
    window.worker = new SharedWorker('/shared-worker.js', 'mark');
    const answered = new Promise((heard) => { worker.port.onmessage = heard; });
    worker.port.postMessage('mark');
    await answered;
"""
_LOG_IN = """
    const request = new XMLHttpRequest();
    request.open('GET', '/challenge', true, 'ada', 'lovelace');
    await new Promise((answered) => { request.onloadend = answered; request.send(); });
"""
_LOCK = "await new Promise((held) => navigator.locks.request('mark', () => { held(); return new Promise(() => {}); }))"
_FIND_THE_WINDOW = """
    const found = open('', 'held');
    const there = found.location.pathname === '/run';
    if (!there) found.close();
    return there;
"""


def elsewhere(code: str) -> str:
    """For what lives no longer than its page: a page of the session's own that stays open."""
    return f"await elsewhere(`{code}`)"


KINDS = [
    Kind("cookie", "document.cookie = 'mark=1'", "return document.cookie.includes('mark')"),
    Kind("local storage", "localStorage.mark = 1", "return 'mark' in localStorage"),
    Kind("session storage", "sessionStorage.mark = 1", "return 'mark' in sessionStorage"),
    Kind(
        "indexed db",
        "await new Promise((opened) => { indexedDB.open('mark').onsuccess = opened; })",
        "return (await indexedDB.databases()).some(({name}) => name === 'mark')",
    ),
    Kind("cache api", "await caches.open('mark')", "return caches.has('mark')"),
    Kind(
        "file system",
        "await (await navigator.storage.getDirectory()).getFileHandle('mark', {create: true})",
        "return (await Array.fromAsync((await navigator.storage.getDirectory()).keys())).includes('mark')",
    ),
    Kind(
        "service worker",
        "await navigator.serviceWorker.register('/idle-service-worker.js'); await navigator.serviceWorker.ready",
        "return (await navigator.serviceWorker.getRegistrations()).length > 0",
    ),
    Kind(
        "http cache",
        "await (await fetch('/cacheable')).text()",
        "return fetch('/cacheable', {cache: 'only-if-cached', mode: 'same-origin'}).then(() => true, () => false)",
    ),
    Kind("http login", _LOG_IN, "return (await fetch('/challenge')).ok"),
    Kind(
        "http credentials",
        "",
        "return (await fetch('/challenge')).ok",
        {"http_credentials": {"username": "ada", "password": "lovelace"}},
    ),
    Kind(
        "permission",
        "",
        "return (await navigator.permissions.query({name: 'geolocation'})).state === 'granted'",
        {"permissions": ["geolocation"]},
    ),
    Kind("window name", "window.name = 'mark'", "return window.name === 'mark'"),
    Kind("popup", elsewhere(""), _FIND_THE_WINDOW),
    Kind("broadcast channel", elsewhere(_ANSWER_ON_THE_CHANNEL), _ASK_THE_CHANNEL),
    Kind("shared worker", elsewhere(_TELL_THE_SHARED_WORKER), _ASK_THE_SHARED_WORKER),
    Kind(
        "web lock",
        elsewhere(_LOCK),
        "return (await navigator.locks.query()).held.some(({name}) => name === 'mark')",
    ),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
_WHEN_DONE: dict[str, Any] = {
    "outputs": [HTML_OUTPUT],
    "wait_for_selector": {"selector": DONE, "state": "attached", "timeout": 10_000},
}


async def leave(browser: Browser, pages: PagesServer, kind: Kind) -> str:
    """The id of a session that has the mark."""
    session_id = await browser.open_session(**kind.options)
    captured = await browser.capture_in(session_id, address(pages.url, kind.leave), **_WHEN_DONE)
    assert captured.told is None
    return session_id


async def found_in(browser: Browser, pages: PagesServer, kind: Kind, session_id: str) -> object:
    captured = await browser.capture_in(session_id, address(pages.url, kind.find), **_WHEN_DONE)
    return captured.told


@every_kind
async def test_what_a_session_left_is_there_in_its_next_capture(
    browser: Browser, pages: PagesServer, kind: Kind
) -> None:
    """Without this the others could not fail."""
    session_id = await leave(browser, pages, kind)
    assert await found_in(browser, pages, kind, session_id) is True


@every_kind
async def test_what_a_session_left_is_not_in_the_one_beside_it(
    browser: Browser, pages: PagesServer, kind: Kind
) -> None:
    beside = await browser.open_session()
    await leave(browser, pages, kind)
    assert await found_in(browser, pages, kind, beside) is False


@every_kind
async def test_what_a_session_left_is_not_in_a_one_shot_capture(
    browser: Browser, pages: PagesServer, kind: Kind
) -> None:
    await leave(browser, pages, kind)
    captured = await browser.capture(address(pages.url, kind.find), **_WHEN_DONE)
    assert captured.told is False


@every_kind
async def test_what_a_session_left_is_gone_with_it(browser: Browser, pages: PagesServer, kind: Kind) -> None:
    await browser.close_session(await leave(browser, pages, kind))
    assert await found_in(browser, pages, kind, await browser.open_session()) is False


@every_kind
async def test_what_a_one_shot_capture_left_is_not_in_the_next(
    browser: Browser, pages: PagesServer, kind: Kind
) -> None:
    await browser.capture(address(pages.url, kind.leave), context=kind.options, **_WHEN_DONE)
    captured = await browser.capture(address(pages.url, kind.find), **_WHEN_DONE)
    assert captured.told is False


async def test_each_session_asks_the_server_once_for_what_it_may_keep(browser: Browser, pages: PagesServer) -> None:
    fetch = Kind("fetch", "await (await fetch('/cacheable')).text()", "")
    before = pages.requests("/cacheable")
    for _ in range(2):
        session_id = await leave(browser, pages, fetch)
        await browser.capture_in(session_id, address(pages.url, fetch.leave), **_WHEN_DONE)
    assert pages.requests("/cacheable") - before == 2


async def test_a_download_is_not_kept(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session()
    page = await browser.opened(session_id).ensure_page()
    async with page.expect_download() as downloading:
        await browser.capture_in(session_id, address(pages.url, _DOWNLOAD), **_WHEN_DONE)
    download = await downloading.value
    assert await download.failure() is not None


async def test_the_clipboard_that_all_share_cannot_be_read(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(
        address(pages.url, _PASTE), context={"permissions": ["clipboard-write"]}, **_WHEN_DONE
    )
    assert "Read permission denied" in captured.told["error"]


def test_nobody_may_be_allowed_to_read_the_clipboard() -> None:
    with pytest.raises(ValidationError):
        ContextOptions.model_validate({"permissions": ["clipboard-read"]})
