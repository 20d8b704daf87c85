"""All metrics of the API: docs/metrics.md explains them."""

from typing import Final

from fleet.metrics import DURATION_BUCKETS, SESSIONS_ENDED, Counts, Metric, MetricFiles
from fleet.models.session import EndReason

# A request may wait for a job for a minute and a half.
_REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, *DURATION_BUCKETS)

REQUESTS: Final = Metric(
    "counter",
    "fleet_http_requests_total",
    "Requests that were answered, by the template of their path.",
    ("method", "route", "status"),
)
REQUEST_SECONDS: Final = Metric(
    "histogram",
    "fleet_http_request_duration_seconds",
    "Time from a request to its answer, waiting for a job included.",
    ("method", "route"),
    buckets=_REQUEST_BUCKETS,
)
ERRORS: Final = Metric(
    "counter", "fleet_http_errors_total", "Requests that were answered with an error, by its code.", ("code",)
)

STORE_UP: Final = Metric(
    "gauge", "fleet_store_up", "1 if Redis has just answered, else 0: then what follows from it is missing."
)
SESSIONS: Final = Metric("gauge", "fleet_sessions", "Sessions of the fleet.", ("state",))
SESSIONS_LIMIT: Final = Metric("gauge", "fleet_sessions_limit", "Sessions that the workers may hold, together.")
WORKERS: Final = Metric(
    "gauge",
    "fleet_workers",
    "Workers that take work, that are alive and do not, and that were lost in the last two minutes or not made up for.",
    ("state",),
)
QUEUE_JOBS: Final = Metric("gauge", "fleet_queue_jobs", "Jobs that wait in a shared queue.", ("queue",))
QUEUE_LIMIT: Final = Metric("gauge", "fleet_queue_jobs_limit", "Jobs that may wait in it.", ("queue",))
QUEUE_SECONDS: Final = Metric(
    "gauge", "fleet_queue_oldest_seconds", "How long the first job of a shared queue has waited.", ("queue",)
)
JOBS: Final = Metric(
    "gauge", "fleet_jobs", "Jobs that wait, in shared queues and on the lists of sessions, and that run.", ("state",)
)
BATCHES: Final = Metric("gauge", "fleet_batches", "Batches that have not ended.", ("state",))
VIEWERS: Final = Metric("gauge", "fleet_viewers", "Viewers of live streams.")
VIEWERS_LIMIT: Final = Metric("gauge", "fleet_viewers_limit", "Viewers that there may be.")

MANIFEST: Final = (
    REQUESTS,
    REQUEST_SECONDS,
    ERRORS,
    SESSIONS_ENDED,
    STORE_UP,
    SESSIONS,
    SESSIONS_LIMIT,
    WORKERS,
    QUEUE_JOBS,
    QUEUE_LIMIT,
    QUEUE_SECONDS,
    JOBS,
    BATCHES,
    VIEWERS,
    VIEWERS_LIMIT,
)


class ApiCounts(Counts):
    """Counted by each process of one gunicorn for itself."""

    def __init__(self, files: MetricFiles | None = None) -> None:
        super().__init__(files)
        self.requests = REQUESTS.counter(self.registry)
        self.request_seconds = REQUEST_SECONDS.histogram(self.registry)
        self.errors = ERRORS.counter(self.registry)
        self._sessions_ended = SESSIONS_ENDED.counter(self.registry)

    def session_ended(self, reason: EndReason) -> None:
        self._sessions_ended.labels(reason.value).inc()
