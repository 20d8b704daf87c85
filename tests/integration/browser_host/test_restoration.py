"""A session survives its Chrome: rebuilt from its checkpoint, under its id, in the next generation."""

import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fleet import keys
from fleet.errors import BrowserUnavailable, FleetError, SessionEnded
from fleet.models.session import EndReason, SessionState
from fleet.settings import Settings
from fleet.store import Store
from fleet.store.notifications import Notifications
from tests.factories import a_script
from tests.integration.browser_host.browser import HTML_OUTPUT, WORKER, Browser, chrome_options, comes_true
from tests.integration.browser_host.running_host import RunningHost, start_host
from tests.integration.worker.processes import alive, kill, parent
from tests.pages.server import PagesServer
from tests.pages.state_pages import DONE, address
from workers.browser_host.chrome_keeper import Upkeep

StartHost = Callable[..., RunningHost]
NEVER = 3600.0
Fault = Callable[[RunningHost], None]


@pytest.fixture
def start(runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path) -> Iterator[StartHost]:
    started: list[RunningHost] = []

    def start_one(**options: Any) -> RunningHost:
        host = runner.run(start_host(settings, store, tmp_path / "host.sock", **options))
        started.append(host)
        return host

    yield start_one
    for host in started:
        runner.run(host.stop())


@pytest.fixture
def host(start: StartHost) -> RunningHost:
    return start()


def kill_chrome(host: RunningHost) -> None:
    kill(host.chrome_now())


def kill_driver(host: RunningHost) -> None:
    (chrome,) = host.chrome_now()
    kill([parent(chrome)])


_KEEP_17_MB = """
    const opening = indexedDB.open('large', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('things');
    await new Promise((opened) => { opening.onsuccess = opened; });
    const writing = opening.result.transaction('things', 'readwrite');
    writing.objectStore('things').put('x'.repeat(17 * 1024 * 1024), 'one');
    await new Promise((written) => { writing.oncomplete = written; });
"""


async def a_visited_session(host: RunningHost, pages: PagesServer, **request: Any) -> str:
    """The id of a session that has been at /cookie once, and whose checkpoint says so."""
    session_id = await host.open_session(**request)
    await host.capture_in(session_id, f"{pages.url}/cookie")
    await comes_true(lambda: host.has_checkpoint(session_id, f"{pages.url}/cookie"))
    return session_id


async def visits(host: RunningHost, session_id: str, pages: PagesServer) -> dict[str, int]:
    """How often it had been at /cookie before, as its cookie and its localStorage say."""
    captured = await host.capture_in(session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    told: dict[str, int] = captured.told
    return told


@pytest.mark.parametrize("fault", [kill_chrome, kill_driver])
async def test_a_session_has_its_cookies_and_its_storage_back(
    host: RunningHost, pages: PagesServer, fault: Fault
) -> None:
    session_id = await a_visited_session(host, pages)
    fault(host)
    await comes_true(lambda: host.is_restored(session_id))
    # One more than before: going back to where it was is a visit.
    assert await visits(host, session_id, pages) == {"cookie": 2, "storage": 2}


async def test_a_session_is_back_where_it_was(host: RunningHost, pages: PagesServer) -> None:
    session_id = await a_visited_session(host, pages)
    kill_chrome(host)
    await comes_true(lambda: host.is_restored(session_id))
    assert (await host.capture_in(session_id)).visit.final_url == f"{pages.url}/cookie"


async def test_a_session_keeps_its_options(host: RunningHost, pages: PagesServer) -> None:
    session_id = await a_visited_session(host, pages, user_agent="The same as before")
    kill_chrome(host)
    await comes_true(lambda: host.is_restored(session_id))
    captured = await host.capture_in(session_id, f"{pages.url}/headers", outputs=[HTML_OUTPUT])
    assert captured.told["user-agent"] == "The same as before"


async def test_the_scripts_of_a_session_run_before_it_is_back_where_it_was(
    host: RunningHost, pages: PagesServer
) -> None:
    session_id = await a_visited_session(host, pages)
    host.store.scripts.add(session_id, a_script("document.title; localStorage.marked = 'by a script'"))
    kill_chrome(host)
    await comes_true(lambda: host.is_restored(session_id))
    state = json.loads((await host.ask("storage_state", session_id=session_id))["state"])
    assert {"name": "marked", "value": "by a script"} in state["origins"][0]["localStorage"]


async def test_a_session_in_which_nothing_was_done_is_rebuilt_as_it_was_created(
    host: RunningHost, pages: PagesServer
) -> None:
    session_id = await host.open_session(url=f"{pages.url}/plain")
    kill_chrome(host)
    await comes_true(lambda: host.is_restored(session_id))
    assert (await host.capture_in(session_id)).visit.title == "Plain"


async def test_a_session_whose_site_is_gone_is_restored_all_the_same(host: RunningHost) -> None:
    with PagesServer() as passing:
        session_id = await a_visited_session(host, passing)
    kill_chrome(host)
    await comes_true(lambda: host.is_restored(session_id))


async def test_a_capture_that_comes_meanwhile_waits_for_its_session(host: RunningHost, pages: PagesServer) -> None:
    session_id = await a_visited_session(host, pages)
    kill_chrome(host)
    await comes_true(lambda: not alive(host.chrome))
    captured = await _when_chrome_is_back(lambda: host.capture_in(session_id, f"{pages.url}/plain"))
    assert captured.visit.title == "Plain"
    assert host.session(session_id).generation == 2


async def _when_chrome_is_back(capture: Callable[[], Any]) -> Any:
    """As a pool child does: the death of Chrome may be noticed by the capture itself."""
    taken: list[Any] = []

    async def is_taken() -> bool:
        with contextlib.suppress(BrowserUnavailable):
            taken.append(await capture())
        return bool(taken)

    await comes_true(is_taken)
    return taken[0]


async def test_a_session_that_comes_back_to_the_worker_that_still_has_it_keeps_its_context(
    browser: Browser, pages: PagesServer
) -> None:
    """The worker was taken for lost, and is the one that takes the session over, by two messages."""
    session_id = await browser.open_session()
    await browser.capture_in(session_id, f"{pages.url}/cookie")
    context = browser.opened(session_id).context
    browser.store.session_moves.give_up(session_id, WORKER)
    browser.store.session_moves.bind(session_id, WORKER)
    await asyncio.gather(*(browser.sessions.restore(session_id) for _ in range(2)))
    session = browser.store.sessions.get(session_id)
    assert session is not None
    assert (session.state, session.generation) == (SessionState.RUNNING, 1)
    assert browser.opened(session_id).context is context


async def test_a_session_that_was_rebuilt_elsewhere_meanwhile_is_rebuilt_here_too(
    browser: Browser, pages: PagesServer
) -> None:
    session_id = await browser.open_session()
    await browser.capture_in(session_id, f"{pages.url}/cookie")
    context = browser.opened(session_id).context
    moves = browser.store.session_moves
    moves.give_up(session_id, WORKER)
    moves.bind(session_id, "another")
    moves.restored(session_id, "another")
    moves.give_up(session_id, "another")
    moves.bind(session_id, WORKER)
    await browser.sessions.restore(session_id)
    session = browser.store.sessions.get(session_id)
    assert session is not None
    assert (session.state, session.generation) == (SessionState.RUNNING, 3)
    assert browser.opened(session_id).context is not context


async def test_a_viewer_is_told_of_a_session_s_restoration(host: RunningHost, pages: PagesServer) -> None:
    # Long enough that its end is not announced meanwhile.
    session_id = await a_visited_session(host, pages, max_lifetime=600, ttl=600)
    heard: list[dict[str, Any]] = []
    listening = threading.Event()
    notifications = Notifications(
        host.store.client,
        {keys.session_events(session_id): lambda event: heard.append(json.loads(event))},
        on_gap=listening.set,
    )
    notifications.start()
    await comes_true(listening.is_set)
    kill_chrome(host)
    await comes_true(lambda: host.is_restored(session_id))
    await comes_true(lambda: len(heard) == 2)
    await asyncio.to_thread(notifications.stop)
    assert [(event["name"], event["generation"]) for event in heard] == [("restoring", 1), ("restored", 2)]


def test_a_chrome_that_does_not_answer_is_replaced_and_its_sessions_restored(
    start: StartHost, runner: asyncio.Runner, pages: PagesServer
) -> None:
    upkeep = Upkeep(captures=1_000_000, age_seconds=1_000_000, probe_seconds=1.5, pause_seconds=0.1)
    host = start(health_seconds=0.2, upkeep=upkeep)
    session_id = runner.run(a_visited_session(host, pages))
    (chrome,) = host.chrome_now()
    os.kill(chrome, signal.SIGSTOP)
    runner.run(comes_true(lambda: host.is_restored(session_id)))
    assert alive([chrome]) == []
    runner.run(comes_true(lambda: host.store.workers.alive()[0].chrome_restarts == {"hung": 1}))


def test_a_worn_chrome_is_replaced_and_its_sessions_keep_what_they_have(
    start: StartHost, runner: asyncio.Runner, pages: PagesServer
) -> None:
    host = start(upkeep=Upkeep(captures=2, age_seconds=1_000_000))
    worn = host.chrome_now()
    session_id = runner.run(a_visited_session(host, pages))
    runner.run(host.ask("capture", html="<p>The second"))
    runner.run(comes_true(lambda: alive(worn) == [] and len(host.chrome_now()) == 1))
    assert runner.run(visits(host, session_id, pages)) == {"cookie": 2, "storage": 2}
    assert host.session(session_id).generation == 2


async def test_a_session_that_crashes_chrome_again_and_again_is_ended(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session()
    for attempt in range(3):
        await _die_in(host, session_id, pages, generation=attempt + 1)
    with pytest.raises(SessionEnded):
        await _when_chrome_is_back(lambda: host.capture_in(session_id))
    ending = host.store.sessions.ending(session_id)
    assert ending is not None
    assert ending.end_reason is EndReason.CRASHED
    assert host.store.slots.holders(WORKER) == []


async def test_a_job_that_is_done_in_between_forgives_the_crashes_before_it(
    host: RunningHost, pages: PagesServer
) -> None:
    session_id = await host.open_session()
    for attempt in range(2):
        await _die_in(host, session_id, pages, generation=attempt + 1)
    await comes_true(lambda: host.is_restored(session_id, generation=3))
    # As a pool child does when a capture has succeeded.
    host.store.sessions.renew(session_id, crashes=0)
    await _die_in(host, session_id, pages, generation=3)
    await comes_true(lambda: host.is_restored(session_id, generation=4))


async def test_a_session_that_was_not_in_use_is_not_blamed(host: RunningHost, pages: PagesServer) -> None:
    innocent, guilty = await host.open_session(), await host.open_session()
    for attempt in range(3):
        await _die_in(host, guilty, pages, generation=attempt + 1)
        await comes_true(partial(host.is_restored, innocent, generation=attempt + 2))
    assert host.session(innocent).state is SessionState.RUNNING


async def _die_in(host: RunningHost, session_id: str, pages: PagesServer, *, generation: int) -> None:
    """Chrome dies while a capture of the session runs in its context of that generation."""
    await comes_true(partial(host.is_restored, session_id, generation=generation))
    gate = f"/gate/{session_id}-{generation}"
    is_open = pages.next_request(gate)
    capturing = asyncio.ensure_future(host.capture_in(session_id, pages.url + gate))
    await comes_true(is_open)
    kill_chrome(host)
    with pytest.raises(FleetError):
        await capturing


async def test_a_session_with_too_much_to_keep_ends_with_its_chrome(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session()
    url = address(pages.url, _KEEP_17_MB)
    await host.capture_in(session_id, url, wait_for_selector={"selector": DONE, "state": "attached"})
    await comes_true(lambda: host.has_checkpoint(session_id, url))
    kill_chrome(host)
    await comes_true(lambda: host.store.sessions.get(session_id) is None)
    ending = host.store.sessions.ending(session_id)
    assert ending is not None
    assert ending.end_reason is EndReason.CRASHED


def test_a_host_that_starts_anew_takes_up_the_sessions_of_its_worker(
    start: StartHost, runner: asyncio.Runner, pages: PagesServer
) -> None:
    host = start()
    session_id = runner.run(a_visited_session(host, pages))
    runner.run(host.stop())
    again = start()
    runner.run(comes_true(lambda: again.is_restored(session_id)))
    assert runner.run(visits(again, session_id, pages)) == {"cookie": 2, "storage": 2}


def test_a_host_leaves_alone_what_another_worker_has_taken_over(
    start: StartHost, runner: asyncio.Runner, pages: PagesServer
) -> None:
    host = start()
    session_id = runner.run(a_visited_session(host, pages))
    host.store.session_moves.give_up(session_id, WORKER)
    host.store.session_moves.bind(session_id, "another@there")
    runner.run(comes_true(lambda: host.store.slots.holders(WORKER) == []))
    with pytest.raises(SessionEnded):
        runner.run(host.capture_in(session_id))
    assert host.session(session_id).worker == "another@there"


def test_a_host_whose_chrome_does_not_start_any_more_ends(
    runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path
) -> None:
    executable = tmp_path / "chromium-headless-shell"
    executable.symlink_to(chrome_options().executable)
    host = runner.run(start_host(settings, store, tmp_path / "host.sock", executable=executable))
    executable.unlink()
    kill_chrome(host)
    with pytest.raises(BrowserUnavailable):
        runner.run(asyncio.wait_for(host.running, 60))
    assert store.workers.alive() == []
