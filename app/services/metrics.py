"""/metrics of the API: what its processes have counted, and the state of the fleet at this moment."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder

from app import metrics
from app.metrics import ApiCounts
from fleet.errors import StoreUnavailable
from fleet.models.batch import BatchState
from fleet.models.session import SessionState
from fleet.queues import SHARED_QUEUES
from fleet.store import Store
from fleet.store.fleet_state import FleetState


class MetricsService:
    def __init__(self, store: Store, counts: ApiCounts) -> None:
        self._registry = counts.scraped(_FleetGauges(store))

    def scrape(self, accept: str) -> tuple[bytes, str]:
        """The page in the format that `accept` asks for, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _FleetGauges:
    """The same numbers from each replica of the API."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def _waited(self) -> dict[tuple[str, ...], float]:
        return {(queue,): self._store.waiting.oldest_seconds(queue) for queue in SHARED_QUEUES}

    def collect(self) -> Iterable[Family]:
        try:
            state = self._store.fleet_state.read()
            waited = self._waited()
            batches = Counter(batch.state for batch in self._store.batches.active())
        except StoreUnavailable:
            return [metrics.STORE_UP.gauge(0)]
        return [
            metrics.STORE_UP.gauge(1),
            metrics.SESSIONS.gauge({(one,): state.sessions.get(one, 0) for one in SessionState}),
            metrics.SESSIONS_LIMIT.gauge(sum(worker.session_limit for worker in state.workers)),
            metrics.WORKERS.gauge(_workers(state)),
            metrics.QUEUE_JOBS.gauge({(queue.name,): queue.waiting for queue in state.queues}),
            metrics.QUEUE_LIMIT.gauge({(queue.name,): queue.limit for queue in state.queues}),
            metrics.QUEUE_SECONDS.gauge(waited),
            metrics.JOBS.gauge({("queued",): state.jobs_queued, ("running",): state.messages}),
            metrics.BATCHES.gauge(
                {(one,): batches[one] for one in (BatchState.RUNNING, BatchState.PAUSED, BatchState.STOPPING)}
            ),
            metrics.VIEWERS.gauge(state.viewers),
            metrics.VIEWERS_LIMIT.gauge(self._store.viewers.limit),
        ]


def _workers(state: FleetState) -> dict[tuple[str, ...], float]:
    able = Counter(worker.takes_work for worker in state.workers)
    return {("able",): able[True], ("unable",): able[False], ("lost",): len(state.lost)}
