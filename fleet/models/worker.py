"""What a worker reports of itself, under a lease that it renews."""

from datetime import datetime

from fleet.models.base import Record


class WorkerReport(Record):
    """`name` is the Celery node name; `sessions` counts the contexts that the host holds."""

    name: str
    started_at: datetime
    reported_at: datetime
    sessions: int
    session_limit: int
    browser_version: str
    draining: bool = False
    # Replacements of Chrome so far, by cause, and sessions rebuilt, both since `started_at`.
    chrome_restarts: dict[str, int] = {}
    sessions_restored: int = 0
