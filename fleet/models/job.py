"""A unit of queued work, and which state may follow which."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic.json_schema import SkipJsonSchema

from fleet.models.base import Record
from fleet.models.manifest import Manifest


class JobKind(StrEnum):
    SESSION_CREATE = "session.create"
    SESSION_DELETE = "session.delete"
    CAPTURE = "capture"


class InternalJobKind(StrEnum):
    """Work that a session does in its turn for a request that waits: no client gets to see the job."""

    STORAGE_STATE = "session.storage_state"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return not JOB_MOVES[self]


JOB_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    # running → running: its process or its browser died and it starts again; running → queued: its worker stops.
    JobState.RUNNING: frozenset(
        {JobState.RUNNING, JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class JobError(Record):
    """Why a job failed; `code` is one of docs/errors.md."""

    code: str
    message: str
    details: dict[str, Any] = {}


class Job(Record):
    """`position` (1 is next) is only known while the job is queued; `result` only after success."""

    id: str
    kind: JobKind | SkipJsonSchema[InternalJobKind]
    state: JobState = JobState.QUEUED
    session_id: str | None = None
    batch_id: str | None = None
    worker: str | None = None
    attempts: int = 0
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    position: int | None = None
    error: JobError | None = None
    result: Manifest | None = None
    # Kept for the logs of all programs; answers carry it in their own header.
    request_id: SkipJsonSchema[str | None] = None

    @property
    def is_finished(self) -> bool:
        return self.state.is_final

    @property
    def is_internal(self) -> bool:
        return isinstance(self.kind, InternalJobKind)

    def evolve(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)
