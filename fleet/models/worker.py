"""What a worker reports of itself, under a lease that it renews."""

from datetime import datetime

from pydantic import Field

from fleet.models.alert import Alert
from fleet.models.base import Record

TOP_SESSIONS_MAX = 10


class TopSession(Record):
    """`memory_bytes` as in the session's own record; 0: not measured yet."""

    id: str
    memory_bytes: int
    responses: int


class WorkerReport(Record):
    """`name` is the Celery node name; `sessions` counts the sessions that the host holds.

    `memory_bytes`: all that the worker uses; `memory_by_part`: proportional set size, in bytes, of `celery`, `host`,
    `driver`, `chrome`. `temp_bytes`: on disk, in its temporary folder. `chrome_up`: it runs and has answered when last
    asked. `storage_up`: an artifact could be written when that was tried last. `most_responses`: of one session.
    `top_sessions`: those that take most memory, first.
    """

    name: str
    started_at: datetime
    reported_at: datetime
    sessions: int
    session_limit: int
    browser_version: str
    chrome_up: bool = True
    storage_up: bool = True
    responses_stored: int = 0
    most_responses: int = 0
    top_sessions: list[TopSession] = Field([], max_length=TOP_SESSIONS_MAX)
    alerts: list[Alert] = []
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    memory_by_part: dict[str, int] = {}
    processes: int = 0
    file_descriptors: int = 0
    threads: int = 0
    temp_bytes: int = 0
    admits_sessions: bool = True
    draining: bool = False
    # Since `started_at`: browser hosts replaced; Chromes replaced, by cause; sessions restored.
    host_restarts: int = 0
    chrome_restarts: dict[str, int] = {}
    sessions_restored: int = 0
    metrics_address: str | None = None

    @property
    def takes_work(self) -> bool:
        return self.chrome_up and not self.draining
