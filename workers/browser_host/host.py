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
from workers.browser_host.expiry_warnings import ExpiryWarnings
from workers.browser_host.response_recorder import ResponseRecorders
from workers.browser_host.sessions import Sessions
from workers.link.server import HostServer

_WARNING_LOOK_SECONDS = 5.0

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
        self._commands = Commands(chrome, self._sessions, Captures(self._egress, chrome))
        self._server = HostServer(options.socket_path, self._commands.table())
        self._warnings = ExpiryWarnings(store.events)
        self._started_at = utc_now()
        self._unheld_before: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweep_now = asyncio.Event()

    async def run(self, until: asyncio.Event) -> None:
        """Serves until the event is set. Raises BrowserUnavailable if Chrome does not start at all."""
        await self._egress.start()
        await self._chrome.ensure_started()
        await asyncio.to_thread(self._store.slots.clear, self._options.worker_name)
        notifications = self._listen()
        await self._server.start()
        duties = [
            asyncio.create_task(_every(keys.WORKER_LEASE_SECONDS / 3, self._renew_lease)),
            asyncio.create_task(_every(_WARNING_LOOK_SECONDS, self._warn_of_expiry)),
            asyncio.create_task(_every(self._options.sweep_seconds, self._sweep, at_once_when=self._sweep_now)),
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

        def expired(key: str) -> None:
            if (session_id := keys.session_of(key)) is not None:
                ended(session_id)

        def ended(session_id: str) -> None:
            loop.call_soon_threadsafe(self._on_session_ended, session_id)

        def look_again() -> None:
            # A Redis that was started anew has forgotten what it was told to publish.
            if not self._store.sessions.ensure_expiry_is_told():
                _log.warning("Redis does not tell of expired keys; contexts are closed by the sweep alone")
            loop.call_soon_threadsafe(self._sweep_now.set)

        channels = {
            keys.JOB_CANCEL_CHANNEL: cancel,
            keys.SESSION_ENDED_CHANNEL: ended,
            keys.expired_channel(self._store.database): expired,
        }
        notifications = Notifications(self._store.client, channels, on_gap=look_again)
        notifications.start()
        return notifications

    def _on_session_ended(self, session_id: str) -> None:
        """Every host hears of every session; one that is being opened here finds out by itself."""
        if session_id in self._sessions.ids:
            self._keep(asyncio.create_task(self._close_ended(session_id)))

    async def _close_ended(self, session_id: str) -> None:
        if await self._sessions.close(session_id):
            _log.info("session ended by the store", session=session_id)
        await asyncio.to_thread(self._store.slots.release, self._options.worker_name, session_id)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        self._keep(asyncio.create_task(asyncio.to_thread(self._bury, lost, EndReason.CRASHED)))

    def _bury(self, session_ids: list[str], reason: EndReason) -> None:
        for session_id in session_ids:
            self._store.sessions.end(session_id, reason)
            self._store.slots.release(self._options.worker_name, session_id)
            _log.warning("session ended", session=session_id, reason=reason.value)

    async def _warn_of_expiry(self) -> None:
        held = self._sessions.ids
        if held:
            await asyncio.to_thread(lambda: self._warnings.look(self._store.sessions.remaining(held)))

    async def _sweep(self) -> None:
        """What was missed: contexts without a key, slots without a context, artifacts past their time."""
        held = self._sessions.ids
        alive = await asyncio.to_thread(self._store.sessions.remaining, held)
        for session_id in set(held) - set(alive):
            await self._close_ended(session_id)
        await asyncio.to_thread(self._sweep_slots, set(self._sessions.ids_with_opening))
        await asyncio.to_thread(self._sweep_storage, utc_now())

    def _sweep_slots(self, held: set[str]) -> None:
        """A slot is claimed before its context is opened, so one that is new may still get its context."""
        worker = self._options.worker_name
        unheld = set(self._store.slots.holders(worker)) - held
        for session_id in unheld & self._unheld_before:
            self._store.slots.release(worker, session_id)
            _log.warning("slot without a context released", session=session_id)
        self._unheld_before = unheld

    def _sweep_storage(self, now: datetime) -> None:
        if removed := self._storage.sweep(now):
            _log.info("expired artifacts removed", folders=removed)

    def _leave(self) -> None:
        with contextlib.suppress(FleetError):
            self._store.workers.leave(self._options.worker_name)


async def _every(
    seconds: float, duty: Callable[[], Awaitable[None]], *, at_once_when: asyncio.Event | None = None
) -> None:
    """At once, and again that long after each end. A round that fails is logged and does not end the duty."""
    wake = at_once_when or asyncio.Event()
    while True:
        wake.clear()
        try:
            await duty()
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("duty failed", duty=duty.__name__)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()
