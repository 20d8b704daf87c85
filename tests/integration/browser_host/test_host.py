"""The browser host as a whole: Chrome, socket, lease, sweep and the store, in this process."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet import keys
from fleet.artifacts.storage import open_storage
from fleet.errors import BrowserUnavailable, JobCancelled, SessionEnded
from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.browser_host.browser import EGRESS, Captured, chrome_options, comes_true
from tests.integration.worker.processes import alive, chrome_under, kill
from tests.pages.server import PagesServer
from workers.browser_host.host import BrowserHost, HostOptions
from workers.link.client import HostClient

WORKER = "test@here"


@dataclass
class RunningHost:
    client: HostClient
    store: Store
    stopping: asyncio.Event
    running: asyncio.Task[None]
    chrome: list[int]

    async def ask(self, command: str, *, job_id: str = "", session_id: str = "", **request: Any) -> dict[str, Any]:
        """In a thread, as the asking side is synchronous."""
        ids = {"job_id": job_id or new_id("job"), "session_id": session_id}
        params = {**ids, "request": json.dumps(request), "scripts": {}}
        return await asyncio.to_thread(self.client.call, command, params, timeout_seconds=30)

    async def open_session(self) -> str:
        """A session that the store knows and this host holds."""
        session_id = new_id("ses")
        self.store.sessions.create(
            session_id, ttl=60, max_lifetime=60, metadata={}, options_json="{}", job_id=new_id("job")
        )
        await self.ask("open_session", session_id=session_id)
        return session_id

    async def holds(self, session_id: str) -> bool:
        try:
            await self.ask("session_capture", session_id=session_id, html="<p>Still here")
        except SessionEnded:
            return False
        except BrowserUnavailable:
            # It was being closed at this moment.
            return True
        return True

    async def stop(self) -> None:
        self.stopping.set()
        await self.running


async def _start(settings: Settings, store: Store, socket_path: Path) -> RunningHost:
    options = HostOptions(
        worker_name=WORKER, socket_path=socket_path, session_limit=4, sweep_seconds=0.1, egress=EGRESS
    )
    host = BrowserHost(options, chrome_options(), store=store, storage=open_storage(settings.artifacts_url))
    others = set(chrome_under(os.getpid()))
    stopping = asyncio.Event()
    running = asyncio.create_task(host.run(until=stopping))
    # Cancellations are heard from the moment of the subscription on.
    await comes_true(lambda: store.client.pubsub_numsub(keys.JOB_CANCEL_CHANNEL)[0][1], seconds=30)
    await comes_true(store.workers.alive)
    chrome = [pid for pid in chrome_under(os.getpid()) if pid not in others]
    return RunningHost(HostClient(socket_path), store, stopping, running, chrome)


@pytest.fixture
def host(runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path) -> Iterator[RunningHost]:
    started = runner.run(_start(settings, store, tmp_path / "host.sock"))
    yield started
    runner.run(started.stop())


async def test_a_running_host_holds_its_lease(host: RunningHost) -> None:
    (report,) = host.store.workers.alive()
    assert (report.name, report.sessions, report.session_limit) == (WORKER, 0, 4)


async def test_a_stopped_host_gives_back_its_lease(host: RunningHost) -> None:
    await host.stop()
    assert host.store.workers.alive() == []


async def test_a_stopped_host_leaves_no_chrome(host: RunningHost) -> None:
    assert len(alive(host.chrome)) == 1
    await host.stop()
    assert alive(host.chrome) == []


async def test_a_running_capture_is_cancelled_by_word_of_the_store(host: RunningHost, pages: PagesServer) -> None:
    job_id, is_open = new_id("job"), pages.next_request("/never")
    capturing = asyncio.ensure_future(host.ask("capture", job_id=job_id, url=f"{pages.url}/never"))
    await comes_true(is_open)
    host.store.jobs.ask_to_cancel(job_id)
    with pytest.raises(JobCancelled):
        await capturing


async def test_a_session_that_the_store_has_ended_is_closed_by_the_sweep(host: RunningHost) -> None:
    session_id = await host.open_session()
    assert await host.holds(session_id)
    host.store.sessions.end(session_id, EndReason.DELETED)
    await comes_true(lambda: _not_held(host, session_id))


async def test_the_sweep_leaves_living_sessions_alone(host: RunningHost) -> None:
    ended, living = await host.open_session(), await host.open_session()
    host.store.sessions.end(ended, EndReason.DELETED)
    await comes_true(lambda: _not_held(host, ended))
    assert await host.holds(living)


async def _not_held(host: RunningHost, session_id: str) -> bool:
    return not await host.holds(session_id)


async def test_the_sessions_of_a_dead_chrome_end_as_crashed(host: RunningHost) -> None:
    session_id = await host.open_session()
    kill(host.chrome)
    await comes_true(lambda: host.store.sessions.get(session_id) is None)
    ending = host.store.sessions.ending(session_id)
    assert ending is not None
    assert ending.end_reason is EndReason.CRASHED


async def test_after_the_death_of_chrome_the_host_captures_on(host: RunningHost) -> None:
    session_id = await host.open_session()
    kill(host.chrome)
    await comes_true(lambda: host.store.sessions.get(session_id) is None)
    answer = await host.ask("capture", html="<title>Alive</title>")
    assert Captured.from_answer(answer).visit.title == "Alive"
