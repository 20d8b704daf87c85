"""The browser host as a whole: Chrome, socket, lease, sweep and the store, in this process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.errors import BrowserUnavailable, JobCancelled
from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from tests.factories import a_job
from tests.integration.browser_host.browser import WORKER, Captured, comes_true
from tests.integration.browser_host.running_host import RunningHost, start_host
from tests.integration.worker.processes import alive, kill
from tests.pages.server import PagesServer


@pytest.fixture
def host(runner: asyncio.Runner, settings: Settings, store: Store, tmp_path: Path) -> Iterator[RunningHost]:
    started = runner.run(start_host(settings, store, tmp_path / "host.sock"))
    yield started
    runner.run(started.stop())


async def test_a_running_host_holds_its_lease(host: RunningHost) -> None:
    (report,) = host.store.workers.alive()
    assert (report.name, report.sessions, report.session_limit) == (WORKER, 0, 4)


async def test_a_stopped_host_gives_back_its_lease(host: RunningHost) -> None:
    await host.stop()
    assert host.store.workers.alive() == []


async def test_a_stopped_host_leaves_no_chrome(host: RunningHost) -> None:
    assert alive(host.chrome) != []
    await host.stop()
    assert alive(host.chrome) == []


async def test_a_running_capture_is_cancelled_by_word_of_the_store(host: RunningHost, pages: PagesServer) -> None:
    job_id, is_open = new_id("job"), pages.next_request("/never")
    capturing = asyncio.ensure_future(host.ask("capture", job_id=job_id, url=f"{pages.url}/never"))
    await comes_true(is_open)
    host.store.jobs.ask_to_cancel(a_job(id=job_id, worker=WORKER))
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


async def test_after_the_death_of_chrome_the_host_captures_on(host: RunningHost) -> None:
    kill(host.chrome)
    await comes_true(lambda: _captures(host))


async def _captures(host: RunningHost) -> bool:
    try:
        answer = await host.ask("capture", html="<title>Alive</title>")
    except BrowserUnavailable:
        # The death of Chrome has not been noticed yet.
        return False
    return Captured.from_answer(answer).visit.title == "Alive"
