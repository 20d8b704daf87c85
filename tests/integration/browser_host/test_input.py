"""What viewers do in a session's page, and what they are told when it cannot be done."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.settings import Settings
from fleet.store import Store
from tests.integration.browser_host.browser import comes_true
from tests.integration.browser_host.running_host import RunningHost, start_host
from tests.integration.browser_host.watcher import Watcher
from tests.pages.server import PagesServer


@pytest.fixture
def host(runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path) -> Iterator[RunningHost]:
    started = runner.run(start_host(settings, store, tmp_path / "host.sock"))
    yield started
    runner.run(started.stop())


async def test_text_is_typed_where_a_click_has_put_the_cursor(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/form")
    async with Watcher(host.store, session_id) as watcher:
        watcher.send("mouse_move", x=60, y=30)
        watcher.send("mouse_down")
        watcher.send("mouse_up")
        watcher.send("insert_text", text="A capital")
        watcher.send("press", key="Home")
        watcher.send("key_down", key="Shift")
        watcher.send("key_down", key="End")
        watcher.send("key_up", key="Shift")
        watcher.send("press", key="x")
        await watcher.hears("console", "log", text="field: A capital")
        await watcher.hears("console", "log", text="field: x")


async def test_a_click_on_a_link_leads_to_its_page_and_back(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/form")
    async with Watcher(host.store, session_id) as watcher:
        watcher.send("click", x=60, y=110)
        await watcher.hears("page", "loaded", url=f"{pages.url}/live/green")
        watcher.send("go_back")
        await watcher.hears("page", "navigated", url=f"{pages.url}/live/form")
        watcher.send("go_forward")
        watcher.send("reload")
        await comes_true(lambda: watcher.names("page").count("navigated") == 4, 30)


async def test_the_wheel_scrolls(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/form")
    async with Watcher(host.store, session_id) as watcher:
        watcher.send("wheel", x=60, y=300, delta_y=400)
        await watcher.hears("console", "log", text="scrolled")


async def test_where_a_viewer_goes_is_where_the_next_capture_is_taken(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session()
    url = f"{pages.url}/live/green"
    async with Watcher(host.store, session_id) as watcher:
        watcher.send("goto", url=url)
        await watcher.hears("page", "loaded", url=url)
    captured = await host.capture_in(session_id)

    assert captured.visit.final_url == url


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("press", {"key": "NoSuchKey"}, "invalid_request"),
        ("goto", {"url": "http://127.0.0.2/"}, "egress_blocked"),
    ],
)
async def test_what_cannot_be_done_is_told_to_the_one_who_asked(
    host: RunningHost, kind: str, fields: dict[str, str], code: str
) -> None:
    session_id = await host.open_session()
    async with Watcher(host.store, session_id) as watcher:
        watcher.send(kind, **fields)
        await watcher.hears("input", "refused", kind=kind, code=code, viewer_id=watcher.viewer.id)


async def test_a_page_that_hangs_costs_one_input_and_the_next_one_works(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/trap")
    async with Watcher(host.store, session_id) as watcher:
        watcher.send("click", x=50, y=50)
        watcher.send("click", x=50, y=50)
        await watcher.hears("page", "closed")
        watcher.send("goto", url=f"{pages.url}/live/green")
        await watcher.hears("page", "loaded", url=f"{pages.url}/live/green", seconds=60)


async def test_input_waits_for_no_job(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session()
    asked = pages.next_request("/gate/input")
    async with Watcher(host.store, session_id) as watcher:
        capturing = asyncio.create_task(host.capture_in(session_id, f"{pages.url}/gate/input"))
        await comes_true(asked, 30)
        watcher.send("reload")
        await watcher.hears("input", "refused", kind="reload", code="session_busy")
        pages.open_gate("input")
        await capturing


async def test_a_parked_session_is_woken_by_input(host: RunningHost, pages: PagesServer) -> None:
    session_id = await host.open_session(url=f"{pages.url}/live/form")
    await host.capture_in(session_id)
    await comes_true(lambda: host.has_checkpoint(session_id, f"{pages.url}/live/form"), 30)
    async with Watcher(host.store, session_id) as watcher:
        await host.ask("close_session", session_id=session_id)
        watcher.send("wheel", x=60, y=300, delta_y=400)
        await watcher.hears("session", "restored", generation=2)
