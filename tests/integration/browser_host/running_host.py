"""A browser host in this process, with the store that it obeys."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet import keys
from fleet.artifacts.storage import open_storage
from fleet.errors import BrowserUnavailable, SessionEnded
from fleet.ids import new_id
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.browser_host.browser import EGRESS, chrome_options, comes_true
from tests.integration.worker.processes import chrome_under
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

    async def open_session(self, *, ttl: int = 60, max_lifetime: int = 60) -> str:
        """A session that the store knows and this host holds."""
        session_id = new_id("ses")
        self.store.sessions.create(
            session_id, ttl=ttl, max_lifetime=max_lifetime, metadata={}, options_json="{}", job_id=new_id("job")
        )
        await self.ask("open_session", session_id=session_id)
        self.store.sessions.renew(session_id, state="running", worker=WORKER)
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


async def start_host(settings: Settings, store: Store, socket_path: Path, *, sweep_seconds: float = 0.1) -> RunningHost:
    options = HostOptions(
        worker_name=WORKER,
        socket_path=socket_path,
        session_limit=4,
        sweep_seconds=sweep_seconds,
        egress=EGRESS,
        parent=os.getpid(),
        memory_limit_bytes=settings.memory_limit_mb * 2**20,
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
