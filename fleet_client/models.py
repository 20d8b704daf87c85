"""What the API answers, as records. Fields that a newer fleet adds are kept, and given out again as JSON."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

Entry = TypeVar("Entry")

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
FINAL_STATES: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})


class Record(BaseModel):
    """Frozen. `to_json` gives what the API gave."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class Artifact(Record):
    """One stored file. `width`, `height` in pixels, for pictures; `pages` for PDFs; `url` is a path of the API's."""

    id: str
    kind: str
    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    expires_at: datetime
    url: str


class Manifest(Record):
    """The result of a capture. `timings` in milliseconds."""

    url: str | None = None
    final_url: str
    redirects: list[dict[str, Any]] = []
    status: int | None = None
    title: str = ""
    artifacts: list[Artifact] = []
    timings: dict[str, float] = {}
    console_errors: list[dict[str, Any]] = []
    failed_requests: list[dict[str, Any]] = []
    blocked_requests: list[dict[str, Any]] = []
    warnings: list[str] = []
    browser_version: str = ""


class JobError(Record):
    """Why a job failed; `code` is one of docs/errors.md."""

    code: str
    message: str
    details: dict[str, Any] = {}


class Job(Record):
    """A unit of queued work. `position`: 1 is next; `result` only after a capture that succeeded."""

    id: str
    kind: str
    state: JobState
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

    @property
    def is_finished(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def artifacts(self) -> list[Artifact]:
        return self.result.artifacts if self.result else []


class Session(Record):
    """An isolated browser context. `ttl`: seconds left until its idle end, when the answer was given."""

    id: str
    state: str
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


class Script(Record):
    """JavaScript that runs in a session's pages before their own. `bytes`: of the source."""

    id: str
    source: str
    bytes: int
    created_at: datetime


class RequestSent(Record):
    """`headers`: `name` and `value` of each; `body_size` in bytes."""

    method: str
    url: str
    headers: list[dict[str, str]] = []
    body_size: int = 0


class Content(Record):
    """`size` in bytes."""

    size: int
    mime_type: str


class ResponseReceived(Record):
    """`status` 0: none came. `headers`: `name` and `value` of each."""

    status: int
    status_text: str = ""
    headers: list[dict[str, str]] = []
    content: Content
    redirect_url: str = ""


class CapturedResponse(Record):
    """What a session's page received. `time` and `timings` in milliseconds; `body_…`: of what was kept of the body."""

    id: str
    started_date_time: datetime
    expires_at: datetime
    time: float
    request: RequestSent
    response: ResponseReceived
    timings: dict[str, float] = {}
    resource_type: str
    from_cache: bool = False
    from_service_worker: bool = False
    body_bytes: int = 0
    body_sha256: str | None = None
    body_truncated: bool = False
    body_evicted: bool = False
    failure: str | None = None


class Link(Record):
    """`url` may be a path of the API's. It leads somewhere until `expires_at`."""

    url: str
    expires_at: datetime


class BatchCounts(Record):
    """Of items. `running`: in a queue or at a worker."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


class Batch(Record):
    """Many captures with one progress. `rate`: items per second, lately; `errors`: failed items by code."""

    id: str
    state: str
    end_reason: str | None = None
    created_at: datetime
    finished_at: datetime | None = None
    expires_at: datetime
    options: dict[str, Any] = {}
    duplicates: int = 0
    counts: BatchCounts
    errors: dict[str, int] = {}
    rate: float = 0
    estimated_end: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.state == "ended"


class BatchItem(Record):
    """One page of a batch. `index`: its place, from 0; `tries`: how often it was started."""

    index: int
    id: str | None = None
    url: str
    state: JobState
    tries: int = 0
    job_id: str | None = None
    error: JobError | None = None
    finished_at: datetime | None = None
    duration_ms: int = 0
    status: int | None = None
    final_url: str | None = None
    title: str = ""
    warnings: list[str] = []
    artifacts: list[Artifact] = []

    @property
    def is_finished(self) -> bool:
        return self.state in FINAL_STATES


class Alert(Record):
    name: str
    severity: str
    worker: str | None = None
    message: str = ""


class WebhookAttempt(Record):
    """`status`: of the answer; None: there was none, and `error` is the code of what stood in the way."""

    at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None


class Webhook(Record):
    """`subject_id`: of the job, batch or session that has ended. `next_attempt_at` None: it is settled."""

    id: str
    event: str
    subject_id: str
    url: str
    state: str
    created_at: datetime
    next_attempt_at: datetime | None = None
    attempts: list[WebhookAttempt] = []


class Worker(Record):
    """As it reported of itself at `reported_at`; what is not named here is among the fields that `to_json` gives."""

    name: str
    started_at: datetime
    reported_at: datetime
    browser_version: str = ""
    sessions: int
    session_limit: int
    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    chrome_up: bool = True
    storage_up: bool = True
    admits_sessions: bool = True
    draining: bool = False
    alerts: list[Alert] = []


class ChromeStatus(Record):
    """Each worker has one."""

    up: int
    expected: int


class Status(Record):
    """The fleet against its limits; what is not named here is among the fields that `to_json` gives."""

    status: str
    at: datetime
    chrome: ChromeStatus
    alerts: list[Alert] = []
    workers: list[Worker] = []


class Readiness(Record):
    """`failing`: the reason by the check's name."""

    status: str
    ok: list[str] = []
    failing: dict[str, str] = {}

    @property
    def is_ready(self) -> bool:
        return not self.failing


class Page(Record, Generic[Entry]):
    """`next_cursor` None: this was the last."""

    entries: list[Entry]
    next_cursor: str | None = None
