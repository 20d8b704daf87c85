"""What this worker tells of itself with each renewal of its lease, and by /metrics."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from fleet.clock import utc_now
from fleet.metrics import totals
from fleet.models.alert import Alert
from fleet.models.worker import TOP_SESSIONS_MAX, TopSession, WorkerReport
from fleet.store.responses import ResponseStore
from workers.browser_host.alerts import WorkerAlerts, WorkerNumbers
from workers.browser_host.chrome_keeper import ChromeKeeper
from workers.browser_host.gauges import HostGauges
from workers.browser_host.memory_guard import MemoryPressure
from workers.browser_host.metrics_server import MetricsServer
from workers.browser_host.node_usage import NodeUsage
from workers.browser_host.node_watch import NodeWatch
from workers.browser_host.session_memory import SessionMemory
from workers.browser_host.sessions import Sessions
from workers.browser_host.storage_watch import StorageWatch
from workers.metrics import WorkerCounts

# One that has just ended is back sooner, and then nobody need hear that it was away.
_CHROME_MOMENT_SECONDS = 2.0


@dataclass(frozen=True)
class WorkerFacts:
    """What a report tells each time alike, in its own words."""

    name: str
    started_at: datetime
    session_limit: int
    host_restarts: int


class Reports:
    def __init__(  # noqa: PLR0913  # all that it tells of
        self,
        facts: WorkerFacts,
        *,
        keeper: ChromeKeeper,
        sessions: Sessions,
        responses: ResponseStore,
        node: NodeWatch,
        pressure: MemoryPressure,
        session_memory: SessionMemory,
        storage: StorageWatch,
        counts: WorkerCounts,
        gauges: HostGauges,
        metrics_server: MetricsServer,
    ) -> None:
        self._facts = facts
        self._keeper = keeper
        self._sessions = sessions
        self._responses = responses
        self._node = node
        self._pressure = pressure
        self._session_memory = session_memory
        self._storage = storage
        self._counts = counts
        self._gauges = gauges
        self._metrics_server = metrics_server
        self._alerts = WorkerAlerts(facts.name, chrome_lost_at=utc_now() if facts.host_restarts else None)

    async def make(self, *, draining: bool) -> WorkerReport:
        """Measured now."""
        chrome_up = await self._keeper.is_up(within_seconds=_CHROME_MOMENT_SECONDS)
        usage = await self._node.look()
        responses = await asyncio.to_thread(self._responses.counts, self._sessions.ids)
        report = WorkerReport(
            name=self._facts.name,
            started_at=self._facts.started_at,
            reported_at=utc_now(),
            sessions=len(self._sessions.ids),
            session_limit=self._facts.session_limit,
            browser_version=self._keeper.version,
            chrome_up=chrome_up,
            storage_up=self._storage.failure is None,
            responses_stored=sum(responses.values()),
            most_responses=max(responses.values(), default=0),
            top_sessions=self._top_sessions(responses),
            alerts=self._look_for_alerts(usage, responses, chrome_up=chrome_up),
            **usage.report_fields(),
            admits_sessions=chrome_up and self._pressure.admits_sessions and not draining,
            draining=draining,
            host_restarts=self._facts.host_restarts,
            chrome_restarts=self._keeper.restarts,
            sessions_restored=sum(totals(self._counts.sessions_restored).values()),
            metrics_address=self._metrics_server.address,
        )
        self._gauges.note(report, (size for _, size in self._session_memory.largest_first()))
        return report

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
            storage_failure=self._storage.failure,
            sessions=len(self._sessions.ids),
            session_limit=self._facts.session_limit,
            memory_bytes=usage.memory_bytes,
            memory_limit_bytes=usage.memory_limit_bytes,
            responses=responses,
            response_limit=self._responses.limit,
        )
        return self._alerts.look(numbers, utc_now())
