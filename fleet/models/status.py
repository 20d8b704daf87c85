"""The state of the whole fleet at one moment: each number beside its limit, and the alerts."""

from datetime import datetime
from typing import Literal

from fleet.models.alert import Alert
from fleet.models.base import Record
from fleet.models.session import SessionState
from fleet.models.worker import WorkerReport


class SessionsStatus(Record):
    """`limit`: of the workers that are alive, together."""

    open: int
    limit: int
    by_state: dict[SessionState, int]


class JobsStatus(Record):
    """`queued`: in the shared queues and on the lists of sessions; `running`: in the hands of workers."""

    queued: int
    running: int


class QueueStatus(Record):
    name: str
    waiting: int
    limit: int


class MemoryStatus(Record):
    bytes: int
    limit_bytes: int


class ResponsesStatus(Record):
    stored: int
    most_in_a_session: int
    limit_per_session: int


class ViewersStatus(Record):
    count: int
    limit: int


class ChromeStatus(Record):
    """Each worker has one."""

    up: int
    expected: int


class Status(Record):
    """`status`: as bad as the worst alert; `info` alone is `ok`."""

    status: Literal["ok", "warning", "critical"]
    at: datetime
    sessions: SessionsStatus
    jobs: JobsStatus
    queues: list[QueueStatus]
    memory: MemoryStatus
    responses: ResponsesStatus
    viewers: ViewersStatus
    chrome: ChromeStatus
    workers: list[WorkerReport]
    alerts: list[Alert]
