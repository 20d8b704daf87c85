"""The host's life: egress, Chrome, sessions, the socket, then its duties; up in this order, down in reverse."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from fleet import keys
from fleet.artifacts.storage import ArtifactStorage
from fleet.checked_http import CheckedHttp
from fleet.clock import utc_now
from fleet.egress import EgressPolicy
from fleet.errors import BrowserUnavailable, FleetError, StoreUnavailable, WorkerStopping
from fleet.metrics import totals
from fleet.models.alert import Alert
from fleet.models.session import EndReason
from fleet.models.worker import TOP_SESSIONS_MAX, TopSession, WorkerReport
from fleet.store import Store
from fleet.store.notifications import Notifications
from workers.browser_host.alerts import WorkerAlerts, WorkerNumbers
from workers.browser_host.artifact_sweep import ArtifactSweep
from workers.browser_host.captures import Captures
from workers.browser_host.checkpoints import Checkpoints
from workers.browser_host.chrome import Chrome, ChromeOptions
from workers.browser_host.chrome_keeper import ChromeKeeper, Upkeep
from workers.browser_host.commands import Commands
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.expiry_warnings import ExpiryWarnings
from workers.browser_host.gate import Gate
from workers.browser_host.gauges import HostGauges
from workers.browser_host.live_view import LiveViews
from workers.browser_host.memory_guard import MemoryGuard, MemoryPressure
from workers.browser_host.memory_relief import MemoryRelief
from workers.browser_host.metrics_server import MetricsServer
from workers.browser_host.node_usage import NodeIds, NodeMeter, NodeUsage
from workers.browser_host.open_context import ContextOpener
from workers.browser_host.response_recorder import ResponseRecorders
from workers.browser_host.restoration import Restoration
from workers.browser_host.session_memory import SessionMemory
from workers.browser_host.session_news import SessionNews
from workers.browser_host.sessions import HeldSession, Sessions
from workers.browser_host.storage_watch import StorageWatch
from workers.browser_host.sweep import Sweep
from workers.browser_host.webhook_deliveries import WebhookDeliveries
from workers.browser_host.webhook_ends import WebhookEnds
from workers.link.server import HostServer
from workers.metrics import WorkerCounts
from workers.node_folder import process_record
from workers.process_table import tree

_WARNING_LOOK_SECONDS = 5.0
# Changes are followed at once; this is for what failed.
_NEWS_LOOK_SECONDS = 5.0
# Changes are told; this is for what was missed, for leases that ran out, and for sessions that have come here.
_VIEWERS_LOOK_SECONDS = 5.0
_MEMORY_LOOK_SECONDS = 5.0
_WEAR_LOOK_SECONDS = 5.0
# Two commands of each worker; whoever delivers goes on by itself while something is due.
_WEBHOOK_LOOK_SECONDS = 2.0
# How long work may take to end before Chrome is replaced; new work waits meanwhile.
_QUIET_SECONDS = 10.0
# One that has just ended is back sooner, and then nobody need hear that it was away.
_CHROME_MOMENT_SECONDS = 2.0
# Contexts are rebuilt a few at a time, so that the jobs that wait get their share of Chrome.
_REBUILT_AT_ONCE = 2
# All last checkpoints together.
_LAST_CHECKPOINTS_SECONDS = 6.0

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
        self._name = options.worker_name
        self._store = store
        self._counts = counts
        self._egress = EgressProxy(options.egress, counts)
        self._keeper = ChromeKeeper(
            chrome_options, self._egress, counts, upkeep=options.upkeep, on_lost=self._on_chrome_lost
        )
        opener = ContextOpener(self._keeper, ResponseRecorders(store.responses))
        self._restoration = Restoration(store, opener, self._egress, counts, worker_name=self._name)
        self._checkpoints = Checkpoints(store.checkpoints, self._name)
        self._held_changed = asyncio.Event()
        self._sessions = Sessions(
            opener,
            self._egress,
            limit=options.session_limit,
            rebuild=self._restoration.rebuild,
            readopt=self._restoration.readopt,
            after_use=self._checkpoints.after_use,
            on_change=self._held_changed.set,
        )
        self._gate = Gate()
        self._commands = Commands(self._keeper, self._sessions, Captures(self._egress), self._gate)
        self._live = LiveViews(store, self._sessions, self._egress, self._gate)
        self._server = HostServer(options.socket_path, self._commands.table())
        self._warnings = ExpiryWarnings(store.events)
        ids = NodeIds(parent=options.parent, host=os.getpid())
        self._meter = NodeMeter(ids, options.socket_path.parent, limit_bytes=options.memory_limit_bytes)
        self._session_memory = SessionMemory(store.sessions)
        relief = MemoryRelief(
            self._keeper,
            self._sessions,
            self._checkpoints,
            self._session_memory,
            store.sessions,
            counts=counts,
            memory_limit_bytes=options.memory_limit_bytes,
            close_ended=self._close_ended,
        )
        self._pressure = MemoryPressure()
        self._memory_guard = MemoryGuard(
            self._pressure,
            drop_caches=relief.drop_caches,
            park_idle=relief.park_idle,
            end_largest=relief.end_largest,
        )
        self._alerts = WorkerAlerts(self._name, chrome_lost_at=utc_now() if options.restarts else None)
        self._gauges = HostGauges(
            response_limit=store.responses.limit,
            jobs_running=lambda: self._commands.running,
            without_context=lambda: sum(held.opened is None for held in self._sessions.all),
        )
        self._metrics_server = MetricsServer(options.metrics_bind, counts.scraped(self._gauges))
        self._record = process_record(options.socket_path.parent)
        self._has_lease = False
        self._draining = False
        self._sweep = Sweep(store, self._sessions, worker_name=self._name, close_ended=self._close_ended)
        self._artifact_sweep = ArtifactSweep(store.artifacts, storage, worker_name=self._name)
        self._storage_watch = StorageWatch(storage)
        self._webhook_ends = WebhookEnds(store)
        self._webhook_deliveries = WebhookDeliveries(
            store.webhooks,
            CheckedHttp(options.egress),
            options.webhook_secrets,
            on_attempt=counts.webhook_attempted,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweep_now = asyncio.Event()
        self._viewers_changed = asyncio.Event()
        self._report_now = asyncio.Event()

    async def run(self, until: asyncio.Event) -> None:
        """Serves until the event is set. Raises BrowserUnavailable if Chrome does not start (any more)."""
        await self._egress.start()
        await self._keeper.current()
        await asyncio.to_thread(self._take_up_sessions)
        notifications = self._listen()
        self._live.listen_through(notifications)
        await self._server.start()
        self._metrics_server.start()
        self._keep(asyncio.create_task(self._rebuild(self._sessions.ids)))
        duties = [
            asyncio.create_task(_every(keys.WORKER_LEASE_SECONDS / 3, self._report, at_once_when=self._report_now)),
            asyncio.create_task(_every(_NEWS_LOOK_SECONDS, self._follow_news, at_once_when=self._held_changed)),
            asyncio.create_task(_every(_WARNING_LOOK_SECONDS, self._warn_of_expiry)),
            asyncio.create_task(_every(_VIEWERS_LOOK_SECONDS, self._live.look, at_once_when=self._viewers_changed)),
            asyncio.create_task(_every(_MEMORY_LOOK_SECONDS, self._measure_sessions)),
            asyncio.create_task(_every(_WEAR_LOOK_SECONDS, self._replace_worn_chrome)),
            asyncio.create_task(_every(self._options.health_seconds, self._keeper.check)),
            asyncio.create_task(_every(self._options.sweep_seconds, self._sweep.run, at_once_when=self._sweep_now)),
            # By itself: sessions do not wait for a slow disk or object store.
            asyncio.create_task(_every(self._options.sweep_seconds, self._artifact_sweep.run)),
            asyncio.create_task(_every(self._options.health_seconds, self._storage_watch.look)),
            asyncio.create_task(_every(_WEBHOOK_LOOK_SECONDS, self._look_after_webhooks)),
        ]
        try:
            await _first_of(until, self._keeper.gave_up)
        finally:
            for duty in duties:
                duty.cancel()
            await self._memory_guard.stop()
            await asyncio.to_thread(self._leave)
            self._server.turn_away(WorkerStopping("This worker stops. Its work goes on elsewhere."))
            await self._live.stop()
            await self._checkpoint_all()
            await self._server.stop()
            await asyncio.to_thread(self._metrics_server.stop)
            await self._keeper.stop()
            await self._egress.stop()
            await asyncio.to_thread(notifications.stop)
        if self._keeper.gave_up.is_set():
            raise BrowserUnavailable("Chrome did not start several times in a row.")

    async def _look_after_webhooks(self) -> None:
        await asyncio.to_thread(self._webhook_ends.look)
        await asyncio.to_thread(self._webhook_deliveries.look)

    def _take_up_sessions(self) -> None:
        """Those that the store says this worker holds: its host, or all of it, has been started anew."""
        held = self._store.slots.holders(self._name)
        for session_id, worker in self._store.sessions.workers_of(held).items():
            if worker == self._name:
                self._sessions.expect(session_id)

    async def _rebuild(self, session_ids: list[str]) -> None:
        turns = asyncio.Semaphore(_REBUILT_AT_ONCE)

        async def rebuild(session_id: str) -> None:
            async with turns, self._gate.passed():
                await self._sessions.ensure_open(session_id)

        await asyncio.gather(*(rebuild(session_id) for session_id in session_ids))

    async def _checkpoint_all(self) -> None:
        """The last ones: whoever takes the sessions over goes on from there."""

        async def take(held: HeldSession) -> None:
            async with held.busy:
                await self._checkpoints.take(held)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_CHECKPOINTS_SECONDS):
                await asyncio.gather(*(take(held) for held in self._sessions.all))

    def _listen(self) -> Notifications:
        loop = asyncio.get_running_loop()

        def cancel(job_id: str) -> None:
            loop.call_soon_threadsafe(self._commands.cancel, job_id)

        def ended(session_id: str) -> None:
            loop.call_soon_threadsafe(self._on_session_ended, session_id)

        def look_for_end(session_id: str) -> None:
            loop.call_soon_threadsafe(lambda: self._keep(asyncio.create_task(self._close_if_ended(session_id))))

        def viewers_changed(_: str) -> None:
            loop.call_soon_threadsafe(self._viewers_changed.set)

        def look_again() -> None:
            # A Redis that was started anew has forgotten what it was told to publish.
            if not self._store.sessions.ensure_expiry_is_told():
                _log.warning("Redis does not tell of expired keys; contexts are closed by the sweep alone")
            loop.call_soon_threadsafe(self._sweep_now.set)

        channels = {keys.JOB_CANCEL_CHANNEL: cancel, keys.worker_cancels(self._name): cancel}
        notifications = Notifications(self._store.client, channels, on_gap=look_again)
        self._news = SessionNews(
            notifications,
            database=self._store.database,
            on_open=look_for_end,
            on_ended=ended,
            on_viewers=viewers_changed,
        )
        notifications.start()
        return notifications

    async def _follow_news(self) -> None:
        await asyncio.to_thread(self._news.follow, set(self._sessions.ids))

    def _on_session_ended(self, session_id: str) -> None:
        """One that was held a moment ago may be gone."""
        if session_id in self._sessions.ids:
            self._keep(asyncio.create_task(self._close_ended(session_id)))

    async def _close_if_ended(self, session_id: str) -> None:
        """It may have, before anybody listened for it."""
        if session_id not in await asyncio.to_thread(self._store.sessions.workers_of, [session_id]):
            self._on_session_ended(session_id)

    async def _close_ended(self, session_id: str) -> None:
        if await self._sessions.close(session_id):
            await asyncio.to_thread(self._count_expiry, session_id)
            # One that nobody ended left them behind: only a script could have taken them along.
            await asyncio.to_thread(self._store.responses.clear, session_id)
        await asyncio.to_thread(self._store.slots.release, self._name, session_id)

    def _count_expiry(self, session_id: str) -> None:
        """Others count the sessions that they end; one whose time ran out was ended by nobody."""
        ending = self._store.sessions.ending(session_id)
        if ending is None or session_id in self._store.sessions.workers_of([session_id]):
            # Another worker's by now.
            return
        _log.info("session ended by the store", session=session_id, reason=ending.end_reason.value)
        if ending.end_reason in {EndReason.IDLE, EndReason.MAX_LIFETIME}:
            self._counts.session_ended(ending.end_reason)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self) -> None:
        try:
            await self._try_report()
        except StoreUnavailable:
            self._gauges.note_store(up=False)
            raise
        self._gauges.note_store(up=True)

    async def _try_report(self) -> None:
        chrome_up = await self._keeper.is_up(within_seconds=_CHROME_MOMENT_SECONDS)
        await asyncio.to_thread(self._record_processes)
        usage = await asyncio.to_thread(self._meter.measure)
        self._memory_guard.look(usage)
        responses = await asyncio.to_thread(self._store.responses.counts, self._sessions.ids)
        report = WorkerReport(
            name=self._name,
            started_at=self._options.started_at,
            reported_at=utc_now(),
            sessions=len(self._sessions.ids),
            session_limit=self._options.session_limit,
            browser_version=self._keeper.version,
            chrome_up=chrome_up,
            storage_up=self._storage_watch.failure is None,
            responses_stored=sum(responses.values()),
            most_responses=max(responses.values(), default=0),
            top_sessions=self._top_sessions(responses),
            alerts=self._look_for_alerts(usage, responses, chrome_up=chrome_up),
            **usage.report_fields(),
            admits_sessions=chrome_up and self._pressure.admits_sessions and not self._draining,
            draining=self._draining,
            host_restarts=self._options.restarts,
            chrome_restarts=self._keeper.restarts,
            sessions_restored=sum(totals(self._counts.sessions_restored).values()),
            metrics_address=self._metrics_server.address,
        )
        self._gauges.note(report, (size for _, size in self._session_memory.largest_first()))
        if self._keeper.is_running:
            await self._renew_lease(report)
        else:
            # A worker whose Chrome does not start lets its lease run out.
            await asyncio.to_thread(self._store.workers.note, report)

    def _top_sessions(self, responses: dict[str, int]) -> list[TopSession]:
        memory = dict(self._session_memory.largest_first())
        largest_first = sorted(responses, key=lambda session_id: -memory.get(session_id, 0))
        return [
            TopSession(id=session_id, memory_bytes=memory.get(session_id, 0), responses=responses[session_id])
            for session_id in largest_first[:TOP_SESSIONS_MAX]
        ]

    def _look_for_alerts(self, usage: NodeUsage, responses: dict[str, int], *, chrome_up: bool) -> list[Alert]:
        numbers = WorkerNumbers(
            chrome_up=chrome_up,
            chromes_lost=self._keeper.lost,
            storage_failure=self._storage_watch.failure,
            sessions=len(self._sessions.ids),
            session_limit=self._options.session_limit,
            memory_bytes=usage.memory_bytes,
            memory_limit_bytes=usage.memory_limit_bytes,
            responses=responses,
            response_limit=self._store.responses.limit,
        )
        return self._alerts.look(numbers, utc_now())

    async def _renew_lease(self, report: WorkerReport) -> None:
        in_time = await asyncio.to_thread(self._store.workers.renew, report)
        if self._has_lease and not in_time:
            _log.warning("the lease had run out; what others have taken over is given up")
            self._sweep_now.set()
        self._has_lease = True
        if self._draining or await asyncio.to_thread(self._store.workers.is_asked_to_drain, self._name):
            self._draining = True
            # Each time: a creation that was in hand comes to run yet.
            self._keep(asyncio.create_task(self._drain()))

    def _record_processes(self) -> None:
        self._record.write(tree(os.getpid()))

    async def _measure_sessions(self) -> None:
        await self._session_memory.measure(self._sessions.all)

    async def _drain(self) -> None:
        """Closes every session once its job is done, for another worker to take."""
        held = self._sessions.all
        if held:
            _log.info("draining", sessions=len(held))
        await asyncio.gather(*(self._drain_one(one) for one in held))

    async def _drain_one(self, held: HeldSession) -> None:
        async with held.busy:
            await self._checkpoints.take(held)
            await asyncio.to_thread(self._store.session_moves.drain, held.id, self._name)
            await self._sessions.close(held.id)

    async def _replace_worn_chrome(self) -> None:
        if not self._keeper.is_worn:
            return
        async with self._gate.closed(_QUIET_SECONDS):
            for held in self._sessions.all:
                async with held.busy:
                    await self._checkpoints.take(held)
                    await self._sessions.park(held)
                    self._counts.sessions_parked.labels("worn").inc()
            await self._keeper.replace()

    def _on_chrome_lost(self, chrome: Chrome, cause: str) -> None:
        lost = [held.id for held in self._sessions.lose(chrome)]
        _log.warning("contexts lost with their chrome", cause=cause, sessions=lost)
        self._keep(asyncio.create_task(self._rebuild(lost)))
        self._report_now.set()

    async def _warn_of_expiry(self) -> None:
        held = self._sessions.ids
        if held:
            await asyncio.to_thread(lambda: self._warnings.look(self._store.sessions.remaining(held)))

    def _leave(self) -> None:
        with contextlib.suppress(FleetError):
            self._store.workers.leave(self._name)


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _every(
    seconds: float, duty: Callable[[], Awaitable[None]], *, at_once_when: asyncio.Event | None = None
) -> None:
    """At once, and again that long after each end. A round that fails is logged and does not end the duty."""
    wake = at_once_when or asyncio.Event()
    while True:
        wake.clear()
        try:
            await duty()
        except FleetError as error:
            _log.warning("duty not done", duty=duty.__name__, code=error.code, cause=error.message)
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("duty failed", duty=duty.__name__)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()
