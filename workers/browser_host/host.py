"""The host's parts and its life: egress, Chrome, sessions, the socket, then its duties; up in this order, down in
reverse.
"""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from fleet import keys
from fleet.artifacts.storage import ArtifactStorage
from fleet.checked_http import CheckedHttp
from fleet.clock import utc_now
from fleet.egress import EgressPolicy
from fleet.errors import BrowserUnavailable, WorkerStopping
from fleet.store import Store
from workers.browser_host.artifact_sweep import ArtifactSweep
from workers.browser_host.captures import Captures
from workers.browser_host.checkpoints import Checkpoints
from workers.browser_host.chrome import Chrome, ChromeOptions
from workers.browser_host.chrome_keeper import ChromeKeeper, Upkeep
from workers.browser_host.commands import Commands
from workers.browser_host.drain import Drain
from workers.browser_host.duties import Duties
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.ended_sessions import EndedSessions
from workers.browser_host.expiry_warnings import ExpiryWarnings
from workers.browser_host.gate import Gate
from workers.browser_host.gauges import HostGauges
from workers.browser_host.lease import Lease
from workers.browser_host.listener import Listener
from workers.browser_host.live_view import LiveViews
from workers.browser_host.memory_guard import MemoryGuard, MemoryPressure
from workers.browser_host.memory_relief import MemoryRelief
from workers.browser_host.metrics_server import MetricsServer
from workers.browser_host.node_usage import NodeIds, NodeMeter
from workers.browser_host.node_watch import NodeWatch
from workers.browser_host.open_context import ContextOpener
from workers.browser_host.rebuilds import Rebuilds
from workers.browser_host.reports import Reports, WorkerFacts
from workers.browser_host.response_recorder import ResponseRecorders
from workers.browser_host.restoration import Restoration
from workers.browser_host.session_memory import SessionMemory
from workers.browser_host.sessions import Sessions
from workers.browser_host.storage_watch import StorageWatch
from workers.browser_host.sweep import Sweep
from workers.browser_host.webhook_deliveries import WebhookDeliveries
from workers.browser_host.webhook_ends import WebhookEnds
from workers.browser_host.worn_chrome import WornChrome
from workers.link.server import HostServer
from workers.metrics import WorkerCounts
from workers.node_folder import process_record

_WARNING_LOOK_SECONDS = 5.0
# Changes are followed at once; this is for what failed.
_NEWS_LOOK_SECONDS = 5.0
# Changes are told; this is for what was missed, for leases that ran out, and for sessions that have come here.
_VIEWERS_LOOK_SECONDS = 5.0
_MEMORY_LOOK_SECONDS = 5.0
_WEAR_LOOK_SECONDS = 5.0
# Two commands of each worker; whoever delivers goes on by itself while something is due.
_WEBHOOK_LOOK_SECONDS = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class HostOptions:
    worker_name: str
    socket_path: Path
    session_limit: int
    sweep_seconds: float
    health_seconds: float
    upkeep: Upkeep
    egress: EgressPolicy
    # Of the Celery worker, with all of which the host shares the limit.
    parent: int
    # Hosts of this worker before this one.
    restarts: int
    memory_limit_bytes: int
    metrics_bind: str
    # With which webhooks are signed.
    webhook_secrets: tuple[str, ...] = ()
    # Of the Celery worker, not of the host, which may be one of several in its life.
    started_at: datetime = field(default_factory=utc_now)


class BrowserHost:
    def __init__(
        self,
        options: HostOptions,
        chrome_options: ChromeOptions,
        *,
        store: Store,
        storage: ArtifactStorage,
        counts: WorkerCounts,
    ) -> None:
        self._options = options
        self._store = store
        name, folder = options.worker_name, options.socket_path.parent

        self._held_changed = asyncio.Event()
        self._viewers_changed = asyncio.Event()
        self._sweep_now = asyncio.Event()
        self._report_now = asyncio.Event()

        self._egress = EgressProxy(options.egress, counts)
        self._keeper = ChromeKeeper(
            chrome_options, self._egress, counts, upkeep=options.upkeep, on_lost=self._on_chrome_lost
        )
        opener = ContextOpener(self._keeper, ResponseRecorders(store.responses))
        restoration = Restoration(store, opener, self._egress, counts, worker_name=name)
        self._checkpoints = Checkpoints(store.checkpoints, name)
        self._sessions = Sessions(
            opener,
            self._egress,
            limit=options.session_limit,
            rebuild=restoration.rebuild,
            readopt=restoration.readopt,
            after_use=self._checkpoints.after_use,
            on_change=self._held_changed.set,
        )
        gate = Gate()
        self._rebuilds = Rebuilds(store, self._sessions, gate, worker_name=name)
        self._worn_chrome = WornChrome(self._keeper, self._sessions, self._checkpoints, gate, counts)
        ended = EndedSessions(store, self._sessions, counts, worker_name=name)
        self._sweep = Sweep(store, self._sessions, worker_name=name, close_ended=ended.close)
        self._warnings = ExpiryWarnings(store.events)

        commands = Commands(self._keeper, self._sessions, Captures(self._egress), gate)
        self._server = HostServer(options.socket_path, commands.table())
        self._listener = Listener(
            store,
            worker_name=name,
            on_cancel=commands.cancel,
            on_open=ended.look,
            on_ended=ended.on_ended,
            on_viewers=self._viewers_changed.set,
            on_gap=self._sweep_now.set,
        )
        self._live = LiveViews(store, self._sessions, self._egress, gate, self._listener.notifications)

        self._session_memory = SessionMemory(store.sessions)
        relief = MemoryRelief(
            self._keeper,
            self._sessions,
            self._checkpoints,
            self._session_memory,
            store.sessions,
            counts=counts,
            memory_limit_bytes=options.memory_limit_bytes,
            close_ended=ended.close,
        )
        pressure = MemoryPressure()
        self._memory_guard = MemoryGuard(
            pressure,
            drop_caches=relief.drop_caches,
            park_idle=relief.park_idle,
            end_largest=relief.end_largest,
        )
        ids = NodeIds(parent=options.parent, host=os.getpid())
        meter = NodeMeter(ids, folder, limit_bytes=options.memory_limit_bytes)

        self._artifact_sweep = ArtifactSweep(store.artifacts, storage, worker_name=name)
        self._storage_watch = StorageWatch(storage)
        gauges = HostGauges(
            response_limit=store.responses.limit,
            jobs_running=lambda: commands.running,
            without_context=lambda: sum(held.opened is None for held in self._sessions.all),
        )
        self._metrics_server = MetricsServer(options.metrics_bind, counts.scraped(gauges))
        reports = Reports(
            WorkerFacts(name, options.started_at, options.session_limit, host_restarts=options.restarts),
            keeper=self._keeper,
            sessions=self._sessions,
            responses=store.responses,
            node=NodeWatch(process_record(folder), meter, self._memory_guard),
            pressure=pressure,
            session_memory=self._session_memory,
            storage=self._storage_watch,
            counts=counts,
            gauges=gauges,
            metrics_server=self._metrics_server,
        )
        self._lease = Lease(
            store.workers,
            self._keeper,
            reports,
            Drain(self._sessions, self._checkpoints, store.session_moves, worker_name=name),
            worker_name=name,
            gauges=gauges,
            on_lapse=self._sweep_now.set,
        )

        self._webhook_ends = WebhookEnds(store)
        self._webhook_deliveries = WebhookDeliveries(
            store.webhooks,
            CheckedHttp(options.egress),
            options.webhook_secrets,
            on_attempt=counts.webhook_attempted,
        )

    async def run(self, until: asyncio.Event) -> None:
        """Serves until the event is set. Raises BrowserUnavailable if Chrome does not start (any more)."""
        await self._start()
        duties = self._begin_duties()
        try:
            await _first_of(until, self._keeper.gave_up)
        finally:
            duties.end()
            await self._stop()
        if self._keeper.gave_up.is_set():
            raise BrowserUnavailable("Chrome did not start several times in a row.")

    async def _start(self) -> None:
        await self._egress.start()
        await self._keeper.current()
        await self._rebuilds.take_up()
        self._listener.start()
        await self._server.start()
        self._metrics_server.start()
        self._rebuilds.begin(self._sessions.ids)

    def _begin_duties(self) -> Duties:
        duties = Duties()
        duties.every(keys.WORKER_LEASE_SECONDS / 3, self._lease.renew, at_once_when=self._report_now)
        duties.every(_NEWS_LOOK_SECONDS, self._follow_news, at_once_when=self._held_changed)
        duties.every(_WARNING_LOOK_SECONDS, self._warn_of_expiry)
        duties.every(_VIEWERS_LOOK_SECONDS, self._live.look, at_once_when=self._viewers_changed)
        duties.every(_MEMORY_LOOK_SECONDS, self._measure_sessions)
        duties.every(_WEAR_LOOK_SECONDS, self._worn_chrome.look)
        duties.every(self._options.health_seconds, self._keeper.check)
        duties.every(self._options.sweep_seconds, self._sweep.run, at_once_when=self._sweep_now)
        # By itself: sessions do not wait for a slow disk or object store.
        duties.every(self._options.sweep_seconds, self._artifact_sweep.run)
        duties.every(self._options.health_seconds, self._storage_watch.look)
        duties.every(_WEBHOOK_LOOK_SECONDS, self._look_after_webhooks)
        return duties

    async def _stop(self) -> None:
        await self._memory_guard.stop()
        await self._lease.leave()
        self._server.turn_away(WorkerStopping("This worker stops. Its work goes on elsewhere."))
        await self._live.stop()
        await self._checkpoints.take_last(self._sessions.all)
        await self._server.stop()
        await asyncio.to_thread(self._metrics_server.stop)
        await self._keeper.stop()
        await self._egress.stop()
        await self._listener.stop()

    def _on_chrome_lost(self, chrome: Chrome, cause: str) -> None:
        lost = [held.id for held in self._sessions.lose(chrome)]
        _log.warning("contexts lost with their chrome", cause=cause, sessions=lost)
        self._rebuilds.begin(lost)
        self._report_now.set()

    async def _follow_news(self) -> None:
        await self._listener.follow(self._sessions.ids)

    async def _warn_of_expiry(self) -> None:
        held = self._sessions.ids
        if held:
            await asyncio.to_thread(lambda: self._warnings.look(self._store.sessions.remaining(held)))

    async def _measure_sessions(self) -> None:
        await self._session_memory.measure(self._sessions.all)

    async def _look_after_webhooks(self) -> None:
        await asyncio.to_thread(self._webhook_ends.look)
        await asyncio.to_thread(self._webhook_deliveries.look)


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
