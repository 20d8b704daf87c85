"""The host's life: egress, Chrome, the socket, the worker's lease, the sweep; up in this order, down in reverse."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from fleet import keys
from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.egress import EgressPolicy
from fleet.errors import FleetError
from fleet.models.session import EndReason
from fleet.models.worker import WorkerReport
from fleet.store import Store
from fleet.store.notifications import Notifications
from workers.browser_host.captures import Captures
from workers.browser_host.chrome import Chrome, ChromeOptions
from workers.browser_host.commands import Commands
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.response_recorder import ResponseRecorders
from workers.browser_host.sessions import Sessions
from workers.link.server import HostServer

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class HostOptions:
    worker_name: str
    socket_path: Path
    session_limit: int
    sweep_seconds: float
    egress: EgressPolicy


class BrowserHost:
    def __init__(
        self, options: HostOptions, chrome_options: ChromeOptions, *, store: Store, storage: ArtifactStorage
    ) -> None:
        self._options = options
        self._egress = EgressProxy(options.egress)
        chrome = self._chrome = Chrome(chrome_options, self._egress, on_died=self._on_chrome_died)
        self._store = store
        self._storage = storage
        recorders = ResponseRecorders(store.responses)
        self._sessions = Sessions(chrome, self._egress, limit=options.session_limit, recorders=recorders)
        self._commands = Commands(chrome, self._sessions, Captures(self._egress))
        self._server = HostServer(options.socket_path, self._commands.table())
        self._started_at = utc_now()
        self._burials: set[asyncio.Task[None]] = set()

    async def run(self, until: asyncio.Event) -> None:
        """Serves until the event is set. Raises BrowserUnavailable if Chrome does not start at all."""
        await self._egress.start()
        await self._chrome.ensure_started()
        notifications = self._listen()
        await self._server.start()
        duties = [
            asyncio.create_task(_every(keys.WORKER_LEASE_SECONDS / 3, self._renew_lease)),
            asyncio.create_task(_every(self._options.sweep_seconds, self._sweep)),
        ]
        try:
            await until.wait()
        finally:
            for duty in duties:
                duty.cancel()
            await asyncio.to_thread(self._leave)
            await self._server.stop()
            await self._end_sessions()
            await self._chrome.stop()
            await self._egress.stop()
            await asyncio.to_thread(notifications.stop)

    async def _end_sessions(self) -> None:
        ended = self._sessions.ids
        await self._sessions.close_all()
        with contextlib.suppress(FleetError):
            await asyncio.to_thread(self._bury, ended, EndReason.DRAINED)

    def _listen(self) -> Notifications:
        loop = asyncio.get_running_loop()

        def cancel(job_id: str) -> None:
            loop.call_soon_threadsafe(self._commands.cancel, job_id)

        notifications = Notifications(self._store.client, {keys.JOB_CANCEL_CHANNEL: cancel}, on_gap=lambda: None)
        notifications.start()
        return notifications

    async def _renew_lease(self) -> None:
        await self._chrome.ensure_started()
        report = WorkerReport(
            name=self._options.worker_name,
            started_at=self._started_at,
            reported_at=utc_now(),
            sessions=self._sessions.count,
            session_limit=self._options.session_limit,
            browser_version=self._chrome.version,
        )
        await asyncio.to_thread(self._store.workers.renew, report)

    def _on_chrome_died(self) -> None:
        lost = self._sessions.drop_all()
        self._burials.add(burial := asyncio.create_task(asyncio.to_thread(self._bury, lost, EndReason.CRASHED)))
        burial.add_done_callback(self._burials.discard)

    def _bury(self, session_ids: list[str], reason: EndReason) -> None:
        for session_id in session_ids:
            self._store.sessions.end(session_id, reason)
            _log.warning("session ended", session=session_id, reason=reason.value)

    async def _sweep(self) -> None:
        """Contexts whose key is gone are closed; artifacts that have expired are removed."""
        held = self._sessions.ids
        alive = await asyncio.to_thread(self._store.sessions.alive, held)
        for session_id in set(held) - alive:
            await self._sessions.close(session_id)
            _log.info("session ended by the store", session=session_id)
        await asyncio.to_thread(self._sweep_storage, utc_now())

    def _sweep_storage(self, now: datetime) -> None:
        if removed := self._storage.sweep(now):
            _log.info("expired artifacts removed", folders=removed)

    def _leave(self) -> None:
        with contextlib.suppress(FleetError):
            self._store.workers.leave(self._options.worker_name)


async def _every(seconds: float, duty: Callable[[], Awaitable[None]]) -> None:
    """At once, and again that long after each end. A round that fails is logged and does not end the duty."""
    while True:
        try:
            await duty()
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("duty failed", duty=duty.__name__)
        await asyncio.sleep(seconds)
