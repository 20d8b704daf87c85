"""A browser host in this process, with the store that it obeys."""

import asyncio
import json
import os
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fleet import keys
from fleet.artifacts.storage import open_storage
from fleet.clock import utc_now
from fleet.errors import BrowserUnavailable, SessionEnded
from fleet.ids import new_id
from fleet.models.session import Session, SessionState
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.browser_host.browser import EGRESS, NO_UPKEEP, WORKER, Captured, chrome_options, comes_true
from tests.integration.worker.processes import chrome_under
from workers.browser_host.chrome_keeper import Upkeep
from workers.browser_host.host import BrowserHost, HostOptions
from workers.browser_host.page_limits import PageLimits
from workers.link.client import HostClient
from workers.metrics import WorkerCounts


@dataclass
class RunningHost:
    client: HostClient
    store: Store
    stopping: asyncio.Event
    running: asyncio.Task[None]
    others: set[int]
    chrome: list[int]

    async def ask(self, command: str, *, job_id: str = "", session_id: str = "", **request: Any) -> dict[str, Any]:
        """In a thread, as the asking side is synchronous."""
        ids = {"job_id": job_id or new_id("job"), "session_id": session_id}
        params = {**ids, "request": json.dumps(request), "scripts": {}}
        return await asyncio.to_thread(self.client.call, command, params, timeout_seconds=30)

    async def open_session(self, *, ttl: int = 60, max_lifetime: int = 60, **request: Any) -> str:
        """A session that the store knows and this host holds; `request`: fields of its body."""
        session_id, job_id = new_id("ses"), new_id("job")
        self.store.sessions.create(
            session_id,
            ttl=ttl,
            max_lifetime=max_lifetime,
            metadata={},
            options_json=json.dumps(request),
            job_id=job_id,
        )
        self.store.session_jobs.claim(session_id, "creation")
        await self.ask("open_session", session_id=session_id, **request)
        self.store.slots.try_claim(WORKER, session_id, utc_now() + timedelta(seconds=max_lifetime))
        assert self.store.session_moves.start(session_id, WORKER)
        self.store.sessions.renew(session_id)
        self.store.session_jobs.release(session_id, "creation", job_id)
        return session_id

    async def capture_in(self, session_id: str, url: str | None = None, **request: Any) -> Captured:
        answer = await self.ask("session_capture", session_id=session_id, url=url, **request)
        return Captured.from_answer(answer)

    def session(self, session_id: str) -> Session:
        session = self.store.sessions.get(session_id)
        assert session is not None, self.store.sessions.ending(session_id)
        return session

    async def is_restored(self, session_id: str, *, generation: int = 2) -> bool:
        session = self.session(session_id)
        return (session.state, session.generation) == (SessionState.RUNNING, generation)

    async def has_checkpoint(self, session_id: str, url: str) -> bool:
        checkpoint = self.store.checkpoints.get(session_id)
        return checkpoint is not None and checkpoint.url == url

    def chrome_now(self) -> list[int]:
        """Of this host; another host of the same process has others."""
        return [pid for pid in chrome_under(os.getpid()) if pid not in self.others]

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


async def start_host(
    settings: Settings,
    store: Store,
    socket_path: Path,
    *,
    sweep_seconds: float = 0.1,
    health_seconds: float = 30,
    upkeep: Upkeep = NO_UPKEEP,
    executable: Path | None = None,
    limits: PageLimits | None = None,
) -> RunningHost:
    options = HostOptions(
        worker_name=WORKER,
        socket_path=socket_path,
        session_limit=4,
        sweep_seconds=sweep_seconds,
        health_seconds=health_seconds,
        upkeep=upkeep,
        egress=EGRESS,
        parent=os.getpid(),
        restarts=0,
        memory_limit_bytes=settings.memory_limit_mb * 2**20,
        metrics_bind=settings.metrics_bind,
    )
    chrome_start = replace(chrome_options(), limits=limits) if limits else chrome_options()
    if executable is not None:
        chrome_start = replace(chrome_start, executable=executable)
    storage = open_storage(settings.artifacts_url)
    counts = WorkerCounts()
    host = BrowserHost(options, chrome_start, store=store, storage=storage, counts=counts)
    others = set(chrome_under(os.getpid()))
    stopping = asyncio.Event()
    running = asyncio.create_task(host.run(until=stopping))
    # Cancellations are heard from the moment of the subscription on.
    await comes_true(lambda: store.client.pubsub_numsub(keys.JOB_CANCEL_CHANNEL)[0][1], seconds=30)
    await comes_true(store.workers.alive)
    chrome = [pid for pid in chrome_under(os.getpid()) if pid not in others]
    return RunningHost(HostClient(socket_path), store, stopping, running, others, chrome)
