"""What a host measures, as /metrics tells it: the numbers of its last report, and who holds a context now."""

from collections.abc import Callable, Iterable

from prometheus_client.core import Metric as Family

from fleet import __version__
from fleet.models.worker import WorkerReport
from workers import metrics


class HostGauges:
    """Asked from another thread than the host's; reads only what is replaced in one step."""

    def __init__(
        self, *, response_limit: int, jobs_running: Callable[[], int], without_context: Callable[[], int]
    ) -> None:
        self._response_limit = response_limit
        self._jobs_running = jobs_running
        self._without_context = without_context
        self._report: WorkerReport | None = None
        self._session_memory: list[int] = []
        self._store_up = False

    def note(self, report: WorkerReport, session_memory: Iterable[int]) -> None:
        """`session_memory`: of each session that was measured."""
        self._report, self._session_memory = report, list(session_memory)

    def note_store(self, *, up: bool) -> None:
        self._store_up = up

    def collect(self) -> Iterable[Family]:
        yield metrics.STORE_UP.gauge(self._store_up)
        yield metrics.JOBS_RUNNING.gauge(self._jobs_running())
        yield metrics.SESSIONS_WITHOUT_CONTEXT.gauge(self._without_context())
        if self._report is not None:
            yield from self._reported(self._report)

    def _reported(self, report: WorkerReport) -> Iterable[Family]:
        yield metrics.INFO.gauge({(report.name, __version__, report.browser_version): 1})
        yield metrics.MEASURED_AT.gauge(report.reported_at.timestamp())
        yield metrics.CHROME_UP.gauge(report.chrome_up)
        yield metrics.STORAGE_UP.gauge(report.storage_up)
        yield metrics.SESSIONS.gauge(report.sessions)
        yield metrics.SESSIONS_LIMIT.gauge(report.session_limit)
        yield metrics.ADMITS.gauge(report.admits_sessions)
        yield metrics.DRAINING.gauge(report.draining)
        yield metrics.SESSION_MEMORY.gauge_histogram(self._session_memory)
        yield metrics.SESSION_MEMORY_MAX.gauge(max(self._session_memory, default=0))
        yield metrics.MEMORY.gauge(report.memory_bytes)
        yield metrics.MEMORY_LIMIT.gauge(report.memory_limit_bytes)
        yield metrics.MEMORY_BY_PART.gauge({(part,): used for part, used in report.memory_by_part.items()})
        yield metrics.PROCESSES.gauge(report.processes)
        yield metrics.THREADS.gauge(report.threads)
        yield metrics.FILE_DESCRIPTORS.gauge(report.file_descriptors)
        yield metrics.TEMPORARY.gauge(report.temp_bytes)
        yield metrics.RESPONSES.gauge(report.responses_stored)
        yield metrics.SESSION_RESPONSES_MAX.gauge(report.most_responses)
        yield metrics.SESSION_RESPONSES_LIMIT.gauge(self._response_limit)
