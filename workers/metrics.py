"""All metrics of a worker, of all its processes: docs/metrics.md explains them."""

from typing import Final

from fleet.metrics import DURATION_BUCKETS, SESSIONS_ENDED, Counts, Metric, MetricFiles
from fleet.models.job import Job, JobState
from fleet.models.session import EndReason
from fleet.models.webhook import WebhookState

# Of sessions; the last one is the default limit of a whole worker.
_MEMORY_BUCKETS: Final = tuple(float(mib * 2**20) for mib in (4, 8, 16, 32, 64, 128, 256, 512, 1024))
_STAGE_BUCKETS: Final = (0.01, 0.025, *DURATION_BUCKETS)

JOB_SECONDS: Final = Metric(
    "histogram",
    "fleet_job_duration_seconds",
    "Time from the start of a job to its end, by the error code of those that failed.",
    ("kind", "outcome"),
)
JOB_WAIT_SECONDS: Final = Metric(
    "histogram", "fleet_job_wait_seconds", "Time from the acceptance of a job to its start.", ("kind",)
)
JOB_RERUNS: Final = Metric(
    "counter", "fleet_job_reruns_total", "Jobs that were started again because what they ran in went away.", ("code",)
)
BATCH_ITEMS: Final = Metric(
    "counter",
    "fleet_batch_items_total",
    "Items of batches that have ended, retries of one item counted once.",
    ("outcome",),
    known=("succeeded", "failed", "cancelled"),
)
WEBHOOK_ATTEMPTS: Final = Metric(
    "counter",
    "fleet_webhook_attempts_total",
    "Attempts to deliver a webhook.",
    ("outcome",),
    known=("delivered", "retried", "failed"),
)
STAGE_SECONDS: Final = Metric(
    "histogram",
    "fleet_capture_stage_duration_seconds",
    "Time that each stage of a capture that succeeded has taken.",
    ("stage",),
    buckets=_STAGE_BUCKETS,
)
SESSIONS_RESTORED: Final = Metric(
    "counter", "fleet_sessions_restored_total", "Sessions whose browser context was rebuilt."
)
SESSIONS_PARKED: Final = Metric(
    "counter",
    "fleet_sessions_parked_total",
    "Sessions whose browser context was closed until their next use.",
    ("reason",),
    known=("memory", "worn"),
)
CHROME_RESTARTS: Final = Metric(
    "counter",
    "fleet_worker_chrome_restarts_total",
    "Chromes that were replaced.",
    ("reason",),
    known=("died", "hung", "worn"),
)
HOST_RESTARTS: Final = Metric(
    "counter",
    "fleet_worker_host_restarts_total",
    "Browser hosts that were replaced.",
    ("reason",),
    known=("died", "hung"),
)
WORKERS_LOST: Final = Metric(
    "counter", "fleet_workers_lost_total", "Lost workers whose estate this one has begun to hand over."
)
RENDERERS_KILLED: Final = Metric(
    "counter", "fleet_renderers_killed_total", "Processes of pages that were killed for the memory they took."
)
LEFTOVERS_KILLED: Final = Metric(
    "counter",
    "fleet_leftover_processes_killed_total",
    "Processes that had outlived their browser host and were killed.",
)
EGRESS_BLOCKED: Final = Metric(
    "counter", "fleet_egress_blocked_total", "Connections that the egress policy has refused."
)

INFO: Final = Metric("gauge", "fleet_worker_info", "1; which worker this is.", ("worker", "version", "browser_version"))
CHROME_UP: Final = Metric("gauge", "fleet_worker_chrome_up", "1 while Chrome runs, else 0.")
STORAGE_UP: Final = Metric(
    "gauge", "fleet_worker_storage_up", "1 if an artifact could be written when that was tried last, else 0."
)
STORE_UP: Final = Metric("gauge", "fleet_worker_store_up", "1 if the last renewal of the lease reached Redis, else 0.")
MEASURED_AT: Final = Metric(
    "gauge",
    "fleet_worker_measured_timestamp_seconds",
    "When sessions, memory, processes and responses were measured last, in Unix time.",
)
SESSIONS: Final = Metric("gauge", "fleet_worker_sessions", "Sessions that the worker holds.")
SESSIONS_LIMIT: Final = Metric("gauge", "fleet_worker_sessions_limit", "Sessions that the worker may hold.")
SESSIONS_WITHOUT_CONTEXT: Final = Metric(
    "gauge", "fleet_worker_sessions_without_context", "Sessions that are parked or still to be restored."
)
ADMITS: Final = Metric("gauge", "fleet_worker_admits_sessions", "1 if the worker takes new sessions, else 0.")
DRAINING: Final = Metric("gauge", "fleet_worker_draining", "1 while the worker drains, else 0.")
JOBS_RUNNING: Final = Metric("gauge", "fleet_worker_jobs_running", "Jobs that run in the browser host now.")
SESSION_MEMORY: Final = Metric(
    "gaugehistogram",
    "fleet_worker_session_memory_bytes",
    "Sessions by the memory of their pages when last measured.",
    buckets=_MEMORY_BUCKETS,
)
SESSION_MEMORY_MAX: Final = Metric(
    "gauge", "fleet_worker_session_memory_max_bytes", "Memory of the session whose pages take most."
)
MEMORY: Final = Metric("gauge", "fleet_worker_memory_bytes", "Memory of the worker, everything in it.")
MEMORY_LIMIT: Final = Metric("gauge", "fleet_worker_memory_limit_bytes", "Memory that the worker may use.")
MEMORY_BY_PART: Final = Metric(
    "gauge", "fleet_worker_memory_part_bytes", "Proportional set size of the processes of one part.", ("part",)
)
PROCESSES: Final = Metric("gauge", "fleet_worker_processes", "Processes of the worker.")
THREADS: Final = Metric("gauge", "fleet_worker_threads", "Threads of the worker's processes.")
FILE_DESCRIPTORS: Final = Metric("gauge", "fleet_worker_file_descriptors", "Open file descriptors of the worker.")
TEMPORARY: Final = Metric("gauge", "fleet_worker_temporary_bytes", "Disk space of the worker's temporary folder.")
RESPONSES: Final = Metric("gauge", "fleet_worker_responses", "Captured responses stored of the worker's sessions.")
SESSION_RESPONSES_MAX: Final = Metric(
    "gauge", "fleet_worker_session_responses_max", "Captured responses of the session that has most."
)
SESSION_RESPONSES_LIMIT: Final = Metric(
    "gauge", "fleet_worker_session_responses_limit", "Captured responses that are kept of one session."
)

MANIFEST: Final = (
    JOB_SECONDS,
    JOB_WAIT_SECONDS,
    JOB_RERUNS,
    BATCH_ITEMS,
    WEBHOOK_ATTEMPTS,
    STAGE_SECONDS,
    SESSIONS_ENDED,
    SESSIONS_RESTORED,
    SESSIONS_PARKED,
    CHROME_RESTARTS,
    HOST_RESTARTS,
    WORKERS_LOST,
    RENDERERS_KILLED,
    LEFTOVERS_KILLED,
    EGRESS_BLOCKED,
    INFO,
    CHROME_UP,
    STORAGE_UP,
    STORE_UP,
    MEASURED_AT,
    SESSIONS,
    SESSIONS_LIMIT,
    SESSIONS_WITHOUT_CONTEXT,
    ADMITS,
    DRAINING,
    JOBS_RUNNING,
    SESSION_MEMORY,
    SESSION_MEMORY_MAX,
    MEMORY,
    MEMORY_LIMIT,
    MEMORY_BY_PART,
    PROCESSES,
    THREADS,
    FILE_DESCRIPTORS,
    TEMPORARY,
    RESPONSES,
    SESSION_RESPONSES_MAX,
    SESSION_RESPONSES_LIMIT,
)


class WorkerCounts(Counts):
    """Counted by the Celery parent, its pool children and the browser host, each for itself."""

    def __init__(self, files: MetricFiles | None = None) -> None:
        super().__init__(files)
        self._job_seconds = JOB_SECONDS.histogram(self.registry)
        self._job_wait_seconds = JOB_WAIT_SECONDS.histogram(self.registry)
        self.job_reruns = JOB_RERUNS.counter(self.registry)
        self._batch_items = BATCH_ITEMS.counter(self.registry)
        self._webhook_attempts = WEBHOOK_ATTEMPTS.counter(self.registry)
        self._stage_seconds = STAGE_SECONDS.histogram(self.registry)
        self._sessions_ended = SESSIONS_ENDED.counter(self.registry)
        self.sessions_restored = SESSIONS_RESTORED.counter(self.registry)
        self.sessions_parked = SESSIONS_PARKED.counter(self.registry)
        self.chrome_restarts = CHROME_RESTARTS.counter(self.registry)
        self.host_restarts = HOST_RESTARTS.counter(self.registry)
        self.workers_lost = WORKERS_LOST.counter(self.registry)
        self.renderers_killed = RENDERERS_KILLED.counter(self.registry)
        self.leftovers_killed = LEFTOVERS_KILLED.counter(self.registry)
        self.egress_blocked = EGRESS_BLOCKED.counter(self.registry)

    def session_ended(self, reason: EndReason) -> None:
        self._sessions_ended.labels(reason.value).inc()

    def batch_item_ended(self, state: JobState) -> None:
        self._batch_items.labels(state.value).inc()

    def webhook_attempted(self, state: WebhookState) -> None:
        """`state`: of the webhook after the attempt."""
        outcome = "retried" if state is WebhookState.PENDING else state.value
        self._webhook_attempts.labels(outcome).inc()

    def job_ended(self, job: Job) -> None:
        started = job.started_at or job.queued_at
        finished = job.finished_at or started
        outcome = job.error.code if job.error else job.state.value
        # Another machine's clock may have set the first of two moments.
        self._job_seconds.labels(job.kind.value, outcome).observe(max(0.0, (finished - started).total_seconds()))
        self._job_wait_seconds.labels(job.kind.value).observe(max(0.0, (started - job.queued_at).total_seconds()))
        if job.result is not None:
            for stage, milliseconds in job.result.timings:
                self._stage_seconds.labels(stage).observe(max(0.0, milliseconds / 1000))
