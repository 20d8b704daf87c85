"""What a worker reports of itself, under a lease that it renews."""

from datetime import datetime

from fleet.models.base import Record


class WorkerReport(Record):
    """`name` is the Celery node name; `sessions` counts the sessions that the host holds.

    `memory_bytes`: all that the worker uses; `memory_by_part`: proportional set size, in bytes, of `celery`, `host`,
    `driver`, `chrome`. `temp_bytes`: on disk, in its temporary folder.
    """

    name: str
    started_at: datetime
    reported_at: datetime
    sessions: int
    session_limit: int
    browser_version: str
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    memory_by_part: dict[str, int] = {}
    processes: int = 0
    file_descriptors: int = 0
    threads: int = 0
    temp_bytes: int = 0
    admits_sessions: bool = True
    draining: bool = False
    # Browser hosts replaced since `started_at`; then, since the last one was started: Chromes replaced, by cause, and
    # sessions restored.
    host_restarts: int = 0
    chrome_restarts: dict[str, int] = {}
    sessions_restored: int = 0
