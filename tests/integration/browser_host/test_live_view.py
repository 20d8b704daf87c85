"""What a watched session shows and tells, and that one without viewers does neither."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleet import keys
from fleet.models.viewer import FrameWishes
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.browser_host.browser import comes_true
from tests.integration.browser_host.running_host import RunningHost, start_host
from tests.integration.browser_host.watcher import Watcher, picture
from tests.pages.server import PagesServer
from workers.browser_host.page_limits import page_limits

SMALL = FrameWishes(quality=40, max_fps=10, max_width=320)
RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.fixture
def host(runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path) -> Iterator[RunningHost]:
    started = runner.run(start_host(settings, store, tmp_path / "host.sock"))
    yield started
    runner.run(started.stop())


@pytest.fixture
def impatient_host(runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path) -> Iterator[RunningHost]:
    """Looks often at pages that nobody captures."""
    limits = replace(page_limits(100), idle_seconds=0.5)
    started = runner.run(start_host(settings, store, tmp_path / "impatient.sock", limits=limits))
    yield started
    runner.run(started.stop())


async def test_a_page_that_rests_is_shown_once_and_kept_for_late_viewers(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/plain")
    async with Watcher(host.store, session_id, frames=SMALL) as watcher:
        await watcher.sees(RED)
        newest = host.store.frames.newest(session_id)

    assert newest == watcher.frames[-1]
    assert (newest.width, newest.height) == (1280, 720)
    assert picture(newest).width == 320


async def test_a_page_that_moves_is_shown_again_and_again(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/moving")
    async with Watcher(host.store, session_id, frames=SMALL) as watcher:
        await comes_true(lambda: len(watcher.frames) > 10, 30)


async def test_no_frame_is_taken_once_the_last_viewer_has_left(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/moving")
    async with Watcher(host.store, session_id, frames=SMALL) as watcher:
        await comes_true(lambda: len(watcher.frames) > 2, 30)
        watcher.leave()
        await comes_true(lambda: not watcher.is_listened_to(), 30)
    (view_of_nobody,) = [host.store.viewers.of_sessions([session_id])[session_id]]
    host.store.client.delete(keys.session_frame(session_id))
    async with Watcher(host.store, session_id) as of_events:
        # Three seconds: longer than a frame that nobody acknowledges holds up the next.
        await comes_true(lambda: of_events.names("console").count("log") >= 30, 60)

    assert view_of_nobody == []
    assert of_events.frames == []
    assert host.store.frames.newest(session_id) is None


async def test_the_next_frame_waits_until_the_last_has_arrived(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/moving")
    async with (
        Watcher(host.store, session_id, acknowledges=False) as clock,
        Watcher(host.store, session_id, frames=SMALL, acknowledges=False) as watcher,
    ):
        await comes_true(lambda: watcher.frames, 30)
        first = len(watcher.frames)
        ticks = clock.names("console").count("log")
        # Ten ticks are a second, in which frames that nobody waits for would come; a lost word is worth two.
        await comes_true(lambda: clock.names("console").count("log") >= ticks + 10, 30)
        unacknowledged = len(watcher.frames) - first
        for _ in range(5):
            before = len(watcher.frames)
            watcher.acknowledge(watcher.frames[-1])
            await comes_true(lambda: len(watcher.frames) > before, 30)  # noqa: B023
    assert unacknowledged <= 2


async def test_the_last_of_many_frames_is_not_lost(host: RunningHost, pages: PagesServer) -> None:
    """Chrome itself drops what it paints while others are on their way, the last one too."""
    session_id = await host.open_session(url=f"{pages.url}/live/burst")
    slow = FrameWishes(quality=40, max_fps=2, max_width=320)
    async with Watcher(host.store, session_id, frames=slow) as watcher:
        await comes_true(lambda: watcher.frames, 30)
        watcher.send("click", x=100, y=100)
        await watcher.sees(GREEN)


async def test_the_most_demanding_viewer_decides_what_is_painted(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/plain")
    async with Watcher(host.store, session_id, frames=SMALL) as watcher:
        await watcher.sees(RED)
        async with Watcher(host.store, session_id, frames=FrameWishes(max_width=640)):
            await comes_true(lambda: picture(watcher.frames[-1]).width == 640, 30)
        await comes_true(lambda: picture(watcher.frames[-1]).width == 320, 30)


async def test_the_stream_goes_on_with_the_page_that_takes_another_s_place(
    host: RunningHost, pages: PagesServer
) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/plain")
    async with Watcher(host.store, session_id, frames=SMALL) as watcher:
        await watcher.sees(RED)
        # A page that is left in an unknown state is discarded.
        with pytest.raises(Exception, match="selector"):
            await host.capture_in(session_id, outputs=[{"kind": "screenshot", "selector": "#none"}], timeout=3000)
        await watcher.hears("page", "closed", popup=True)
        await host.capture_in(session_id, f"{pages.url}/live/green")
        await watcher.sees(GREEN)


async def test_the_stream_goes_on_in_the_next_chrome(host: RunningHost, pages: PagesServer) -> None:

    session_id = await host.open_session(url=f"{pages.url}/live/plain")
    async with Watcher(host.store, session_id, frames=SMALL) as watcher:
        await watcher.sees(RED)
        await host.capture_in(session_id, f"{pages.url}/live/green")
        await comes_true(lambda: host.has_checkpoint(session_id, f"{pages.url}/live/green"), 30)
        os.kill(host.chrome[0], signal.SIGKILL)
        await watcher.hears("session", "restored", generation=2)
        seen = len(watcher.frames)
        await comes_true(lambda: len(watcher.frames) > seen, 30)
        await watcher.sees(GREEN)


async def test_viewers_hear_what_the_page_does(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session()
    url = f"{pages.url}/live/talking"
    async with Watcher(host.store, session_id) as watcher:
        await host.capture_in(session_id, url)

        await watcher.hears("page", "navigated", url=url, popup=False)
        await watcher.hears("page", "loaded", url=url)
        await watcher.hears("network", "request", url=url, method="GET", resource_type="document")
        await watcher.hears("network", "response", url=url, status=200)
        await watcher.hears("network", "failed", url="http://127.0.0.2/")
        await watcher.hears("console", "log", text="hello", url=url, line=2)
        await watcher.hears("console", "exception")
    assert watcher.frames == []


async def test_a_page_that_floods_its_console_is_muted_for_a_while(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session()
    async with Watcher(host.store, session_id) as watcher:
        watcher.send("goto", url=f"{pages.url}/live/flood")
        await watcher.hears("console", "muted")
        watcher.send("goto", url=f"{pages.url}/live/talking")
        await watcher.hears("page", "navigated", url=f"{pages.url}/live/talking")
    assert watcher.names("console").count("log") < 2_000


async def test_a_page_that_toils_goes_on_while_it_is_watched_and_is_paused_afterwards(
    impatient_host: RunningHost, pages: PagesServer
) -> None:
    host = impatient_host
    session_id = await host.open_session(url=f"{pages.url}/live/toiling")
    await comes_true(pages.next_request("/live/beat"), 30)
    await _comes_to_rest(pages)
    async with Watcher(host.store, session_id, frames=SMALL):
        # Longer than it would take to be paused again.
        for _ in range(30):
            await comes_true(pages.next_request("/live/beat"), 30)
    await _comes_to_rest(pages)


async def _comes_to_rest(pages: PagesServer) -> None:
    """No beat for a while in which seven would come."""

    async def rests() -> bool:
        beats = pages.next_request("/live/beat")
        await asyncio.sleep(1.5)
        return not beats()

    await comes_true(rests, 60)
