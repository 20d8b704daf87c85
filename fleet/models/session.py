"""One isolated browser context with a time to live, and which state may follow which."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from fleet.models.base import HttpUrl, Input, Record, WebhookUrl
from fleet.models.context import ContextOptions
from fleet.models.response import RecordResponsesOption
from fleet.models.script import ScriptSource

TTL_MAX = 86_400


class SessionState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    RESTORING = "restoring"
    DRAINING = "draining"


SESSION_MOVES: dict[SessionState, frozenset[SessionState]] = {
    # To the same state: a message that came back after its process died does its work again.
    SessionState.PENDING: frozenset({SessionState.RUNNING}),
    SessionState.RUNNING: frozenset({SessionState.RUNNING, SessionState.RESTORING, SessionState.DRAINING}),
    # Its rebuilding may fail, and begin again here or elsewhere.
    SessionState.RESTORING: frozenset({SessionState.RUNNING, SessionState.RESTORING, SessionState.DRAINING}),
    SessionState.DRAINING: frozenset({SessionState.RESTORING}),
}


class EndReason(StrEnum):
    """Why a session ended. IDLE and MAX_LIFETIME are nobody's act: the store's TTL ran out."""

    DELETED = "deleted"
    IDLE = "idle"
    MAX_LIFETIME = "max_lifetime"
    CRASHED = "crashed"
    WORKER_LOST = "worker_lost"
    DRAINED = "drained"
    CREATE_FAILED = "create_failed"
    MEMORY = "memory"


Metadata = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=32),
]


class SessionRequest(ContextOptions):
    """Body of a session's creation. Durations in seconds."""

    ttl: Annotated[int, Field(ge=1, le=TTL_MAX)] | None = None
    max_lifetime: Annotated[int, Field(ge=1, le=TTL_MAX)] | None = None
    url: HttpUrl | None = None
    metadata: Metadata = {}
    record_responses: RecordResponsesOption = None
    scripts: list[ScriptSource] = []
    webhook_url: WebhookUrl | None = None


class SessionPatch(Input):
    """A new `ttl` (seconds) counts from now; `metadata` replaces what was there."""

    ttl: Annotated[int, Field(ge=1, le=TTL_MAX)] | None = None
    metadata: Metadata | None = None


class Session(Record):
    """`ttl`: seconds left until the idle end, as of the moment of the answer. `scripts`: how many it has.

    `memory_bytes`: JavaScript heap and what hangs on it, of all its pages when last measured; None: not yet.
    """

    id: str
    state: SessionState = SessionState.PENDING
    worker: str | None = None
    generation: int = 1
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ttl: int
    url: str | None = None
    title: str | None = None
    metadata: dict[str, Any] = {}
    responses: int = 0
    scripts: int = 0
    memory_bytes: int | None = None


class SessionEnd(Record):
    """What is remembered of a session for an hour after its end."""

    session_id: str
    end_reason: EndReason
    ended_at: datetime
