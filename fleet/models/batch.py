"""A batch: many captures with one progress. What a client asks, what is kept of it, and what it is told."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from fleet.models.artifact import Artifact
from fleet.models.base import HttpUrl, Input, Record, WebhookUrl
from fleet.models.capture import CaptureOptions
from fleet.models.context import ContextOptions
from fleet.models.job import JobState

ITEMS_MAX = 100_000
CONCURRENCY_MAX = 100
_DAY_SECONDS = 86_400
# One that runs and one that waits, so that other jobs of the session wait for no more.
_SESSION_IN_HAND_MAX = 2
# A host that is asked once in ten minutes is not waited for in a batch.
_HOST_DELAY_MAX_MS = 600_000

ItemId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class BatchState(StrEnum):
    """`stopping`: no item begins any more, those in hand end."""

    ACCEPTING = "accepting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    ENDED = "ended"


class BatchEndReason(StrEnum):
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILURES = "failures"
    DEADLINE = "deadline"


class BatchOptions(Input):
    """How the items of a batch are worked off.

    `per_host_concurrency`: items in hand at once of one host and port; `per_host_delay`: ms between the starts of two
    of them. `retries`: further tries of an item whose error is worth one. `stop_after_failures`: so many failed items
    end the batch, 0: however many. `deadline_seconds`: from its acceptance, or from a retry.
    """

    concurrency: Annotated[int, Field(ge=1, le=CONCURRENCY_MAX)] = 10
    per_host_concurrency: Annotated[int, Field(ge=1, le=CONCURRENCY_MAX)] = 4
    per_host_delay: Annotated[int, Field(ge=0, le=_HOST_DELAY_MAX_MS)] = 0
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    deduplicate: bool = True
    stop_after_failures: Annotated[int, Field(ge=0, le=ITEMS_MAX)] = 0
    deadline_seconds: Annotated[int, Field(ge=1, le=7 * _DAY_SECONDS)] = _DAY_SECONDS
    session_id: Annotated[str, Field(max_length=64)] | None = None
    webhook_url: WebhookUrl | None = None

    @property
    def in_hand_max(self) -> int:
        return min(self.concurrency, _SESSION_IN_HAND_MAX) if self.session_id else self.concurrency


class BatchCapture(CaptureOptions):
    """What is asked of each page: a capture's body without its source."""

    context: ContextOptions | None = None


class BatchItem(BatchCapture):
    """One page, with its own answer to whatever it says of it."""

    url: HttpUrl
    id: ItemId | None = None


class BatchRequest(BatchOptions):
    """Body of a batch as one JSON object: exactly one of `urls`, `items` and `sitemap_url`.

    The items are looked at one by one later, each as a `BatchItem`.
    """

    urls: list[str] | None = None
    items: list[dict[str, Any]] | None = None
    sitemap_url: HttpUrl | None = None
    capture: BatchCapture = BatchCapture()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("urls", "items", "sitemap_url") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError("contradiction", "give exactly one of urls, items and sitemap_url", {})
        return self


class BatchCounts(Record):
    """Of items. `running`: in hand, in a queue or at a worker. `queued`: also those that wait for another try."""

    total: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


class Batch(Record):
    """`rate`: items per second, lately. `errors`: failed items by code. `duplicates`: items that were left out."""

    id: str
    state: BatchState
    end_reason: BatchEndReason | None = None
    created_at: datetime
    deadline_at: datetime
    finished_at: datetime | None = None
    expires_at: datetime
    options: BatchOptions
    duplicates: int
    counts: BatchCounts
    errors: dict[str, int] = {}
    rate: float = 0
    estimated_end: datetime | None = None
    request_id: SkipJsonSchema[str | None] = None


class ItemError(Record):
    code: str
    message: str


class ItemOutcome(Record):
    """How an item ended, once and for all unless a client asks to retry it. `artifacts`: their ids."""

    state: JobState
    error: ItemError | None = None
    job_id: str
    finished_at: datetime
    duration_ms: int = 0
    artifacts: list[str] = []
    status: int | None = None
    final_url: str | None = None
    title: str = ""
    warnings: list[str] = []


class ItemStatus(Record):
    """An item as it stands. `index`: its place in the batch, from 0. `tries`: how often it was started.

    `artifacts`: those that have not expired. `final_url`: null, if it is `url`.
    """

    index: int
    id: str | None
    url: str
    state: JobState
    tries: int = 0
    job_id: str | None = None
    error: ItemError | None = None
    finished_at: datetime | None = None
    duration_ms: int = 0
    status: int | None = None
    final_url: str | None = None
    title: str = ""
    warnings: list[str] = []
    artifact_ids: SkipJsonSchema[list[str]] = Field(default=[], exclude=True)
    artifacts: list[Artifact] = []
