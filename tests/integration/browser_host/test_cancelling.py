"""A job that is cancelled gives back what it held in Chrome, and ends as cancelled."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import JobCancelled
from fleet.ids import new_id
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser, comes_true
from tests.pages.server import PagesServer
from workers.link import protocol
from workers.link.server import HostServer


async def test_a_cancelled_capture_ends_as_cancelled(browser: Browser, pages: PagesServer) -> None:
    job_id, is_open = new_id("job"), pages.next_request("/never")
    capturing = asyncio.ensure_future(browser.capture(f"{pages.url}/never", job_id=job_id))
    await comes_true(is_open)
    browser.commands.cancel(job_id)
    with pytest.raises(JobCancelled):
        await capturing


async def test_a_cancelled_capture_leaves_no_context(browser: Browser, pages: PagesServer) -> None:
    job_id, is_open = new_id("job"), pages.next_request("/never")
    capturing = asyncio.ensure_future(browser.capture(f"{pages.url}/never", job_id=job_id))
    await comes_true(is_open)
    held = await browser.contexts()
    browser.commands.cancel(job_id)
    await asyncio.gather(capturing, return_exceptions=True)
    assert (held, await browser.contexts()) == (1, 0)


async def test_a_cancelled_capture_leaves_its_session_as_it_was(browser: Browser, pages: PagesServer) -> None:
    session_id = await browser.open_session(url=f"{pages.url}/cookie")
    job_id, is_open = new_id("job"), pages.next_request("/never")
    capturing = asyncio.ensure_future(browser.capture_in(session_id, f"{pages.url}/never", job_id=job_id))
    await comes_true(is_open)
    browser.commands.cancel(job_id)
    await asyncio.gather(capturing, return_exceptions=True)
    captured = await browser.capture_in(session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT])
    assert captured.told == {"cookie": 1, "storage": 1}


async def test_a_cancelled_creation_leaves_no_context(browser: Browser, pages: PagesServer) -> None:
    job_id, is_open = new_id("job"), pages.next_request("/never")
    opening = asyncio.ensure_future(browser.open_session(job_id=job_id, url=f"{pages.url}/never"))
    await comes_true(is_open)
    browser.commands.cancel(job_id)
    with pytest.raises(JobCancelled):
        await opening
    assert (browser.sessions.ids, await browser.contexts()) == ([], 0)


async def test_cancelling_one_job_leaves_the_others_alone(browser: Browser, pages: PagesServer) -> None:
    job_id, is_open = new_id("job"), pages.next_request("/never")
    cancelled = asyncio.ensure_future(browser.capture(f"{pages.url}/never", job_id=job_id))
    other = asyncio.ensure_future(browser.capture(f"{pages.url}/late", wait_for_timeout=500))
    await comes_true(is_open)
    browser.commands.cancel(job_id)
    await asyncio.gather(cancelled, return_exceptions=True)
    assert (await other).visit.status == 200


async def _capture(browser: Browser, pages: PagesServer) -> None:
    await browser.capture(f"{pages.url}/plain")


async def _open_session(browser: Browser, pages: PagesServer) -> None:
    await browser.close_session(await browser.open_session(url=f"{pages.url}/plain"))


@pytest.mark.parametrize("work", [_capture, _open_session])
async def test_work_given_up_at_any_moment_leaves_no_context(
    own_browser: Browser, pages: PagesServer, work: Callable[[Browser, PagesServer], Coroutine[Any, Any, None]]
) -> None:
    await work(own_browser, pages)
    for turns in range(0, 60, 3):
        task = asyncio.ensure_future(work(own_browser, pages))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # What was still being opened is open once a later capture is through.
    await _capture(own_browser, pages)
    assert await own_browser.contexts() == 0


async def test_a_client_that_goes_away_closes_the_context_of_its_capture(
    browser: Browser, pages: PagesServer, tmp_path: Path
) -> None:
    server = HostServer(tmp_path / "host.sock", browser.commands.table())
    await server.start()
    is_open = pages.next_request("/never")
    _, writer = await asyncio.open_unix_connection(tmp_path / "host.sock")
    params = {"job_id": new_id("job"), "request": json.dumps({"url": f"{pages.url}/never"})}
    writer.write(protocol.encode(protocol.request("capture", params, timeout_seconds=60)))
    await comes_true(is_open)
    writer.close()
    await comes_true(lambda: _no_context(browser))
    await server.stop()


async def _no_context(browser: Browser) -> bool:
    return await browser.contexts() == 0
