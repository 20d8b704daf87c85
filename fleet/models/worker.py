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
