"""A Chrome that dies costs what it was doing, and is replaced at the next need."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from fleet.errors import BrowserUnavailable, PageCrashed
from tests.integration.browser_host.browser import Browser, comes_true
from tests.integration.worker.processes import children, command, kill
from tests.pages.server import PagesServer
from workers.process_table import read_process


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def parent_of(pid: int) -> int:
    process = read_process(pid)
    assert process is not None
    return process.parent


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


async def _send_to_chrome(browser: Browser, number: signal.Signals) -> int:
    (pid,) = await browser.process_ids("browser")
    os.kill(pid, number)
    return pid


async def test_after_the_death_of_chrome_the_next_capture_starts_another(
    own_browser: Browser, pages: PagesServer
) -> None:
    dead = await _send_to_chrome(own_browser, signal.SIGKILL)
    await comes_true(lambda: not own_browser.keeper.is_running)
    captured = await own_browser.capture(f"{pages.url}/plain")
    assert captured.visit.title == "Plain"
    assert await own_browser.process_ids("browser") != [dead]


async def test_a_capture_whose_chrome_dies_while_it_navigates_may_be_sent_again(
    own_browser: Browser, pages: PagesServer
) -> None:
    is_navigating = pages.next_request("/never")
    capturing = asyncio.ensure_future(own_browser.capture(f"{pages.url}/never"))
    await comes_true(is_navigating)
    await _send_to_chrome(own_browser, signal.SIGKILL)
    with pytest.raises(BrowserUnavailable):
        await capturing


async def test_a_capture_whose_chrome_dies_while_it_settles_may_be_sent_again(
    own_browser: Browser, pages: PagesServer
) -> None:
    is_settling = pages.next_request("/plain")
    capturing = asyncio.ensure_future(own_browser.capture(f"{pages.url}/settled", wait_for_timeout=30_000))
    await comes_true(is_settling)
    await _send_to_chrome(own_browser, signal.SIGKILL)
    with pytest.raises(BrowserUnavailable):
        await capturing


async def test_a_capture_whose_chrome_dies_while_its_context_opens_may_be_sent_again(
    own_browser: Browser, pages: PagesServer
) -> None:
    frozen = await _send_to_chrome(own_browser, signal.SIGSTOP)
    capturing = asyncio.ensure_future(own_browser.capture(f"{pages.url}/plain"))
    await asyncio.wait({capturing}, timeout=0.3)
    os.kill(frozen, signal.SIGKILL)
    with pytest.raises(BrowserUnavailable):
        await capturing


async def test_a_capture_whose_chrome_dies_while_its_page_opens_may_be_sent_again(
    own_browser: Browser, pages: PagesServer
) -> None:
    (chrome,) = await own_browser.process_ids("browser")
    # Without a zygote no renderer starts, so the page stays half open.
    zygotes = [pid for pid in children(chrome) if "--type=zygote" in command(pid)]
    for pid in zygotes:
        os.kill(pid, signal.SIGSTOP)
    capturing = asyncio.ensure_future(own_browser.capture(f"{pages.url}/plain"))
    await asyncio.wait({capturing}, timeout=0.3)
    kill([chrome, *zygotes])
    with pytest.raises(BrowserUnavailable):
        await capturing


async def test_a_capture_whose_renderer_is_killed_fails_as_crashed(own_browser: Browser, pages: PagesServer) -> None:
    is_settling = pages.next_request("/plain")
    capturing = asyncio.ensure_future(own_browser.capture(f"{pages.url}/settled", wait_for_timeout=30_000))
    await comes_true(is_settling)
    for pid in await own_browser.process_ids("renderer"):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(PageCrashed):
        await capturing


async def test_a_chrome_knows_no_key_of_the_fleet(
    own_browser: Browser, pages: PagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "FLEET_SECRET_KEY"):
        monkeypatch.setenv(name, "a-secret-of-the-fleet")
    await own_browser.capture(f"{pages.url}/plain")
    (chrome,) = await own_browser.process_ids("browser")
    known = environment_of(chrome)
    assert "HOME=" in known
    assert "a-secret-of-the-fleet" not in known


async def test_captures_at_once_start_only_one_chrome(own_browser: Browser, pages: PagesServer) -> None:
    await asyncio.gather(*(own_browser.capture(f"{pages.url}/plain") for _ in range(4)))
    assert len(await own_browser.process_ids("browser")) == 1


async def test_the_files_of_a_chrome_whose_driver_was_killed_go_as_it_is_stopped(
    own_browser: Browser, pages: PagesServer, temporary_folder: Path
) -> None:
    before = set(names(temporary_folder))
    await own_browser.capture(f"{pages.url}/plain")
    (chrome,) = await own_browser.process_ids("browser")
    assert set(names(temporary_folder)) != before
    kill([parent_of(chrome), chrome])
    await own_browser.keeper.stop()
    assert set(names(temporary_folder)) == before


async def test_captures_that_have_ended_leave_no_context(browser: Browser, pages: PagesServer) -> None:
    await asyncio.gather(*(browser.capture(f"{pages.url}/plain") for _ in range(6)))
    assert await browser.contexts() == 0


async def test_pages_go_on_after_chrome_dropped_its_caches(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/plain")
    await (await browser.keeper.current()).drop_caches()
    assert (await browser.capture_in(session_id)).visit.title == "Plain"


async def test_a_chrome_that_is_gone_drops_nothing(own_browser: Browser) -> None:
    gone = await own_browser.keeper.current()
    await own_browser.keeper.stop()
    await gone.drop_caches()
