"""Query and path parameters, and the shapes of answers, for parsing and for the OpenAPI document."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from fleet.models.base import NamedFields
from fleet.models.batch import Batch, ItemStatus
from fleet.models.job import Job, JobState
from fleet.models.script import Script
from fleet.models.session import Session
from fleet.models.webhook import Webhook
from fleet.models.worker import WorkerReport

# Longer than the longest capture.
WAIT_MAX_SECONDS = 330


class WaitQuery(NamedFields):
    wait: Annotated[
        float, Field(ge=0, le=WAIT_MAX_SECONDS, description="Wait for the end of the job, at most so many seconds.")
    ] = 0


class PageQuery(NamedFields):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=64, description="`next_cursor` of the page before.")] | None = None


class SessionPath(BaseModel):
    session_id: str


class ScriptPath(SessionPath):
    script_id: str


class JobPath(BaseModel):
    job_id: str


class BatchPath(BaseModel):
    batch_id: str


class ItemQuery(PageQuery):
    state: JobState | None = None


class ArchiveQuery(NamedFields):
    format: Literal["zip", "warc"] = "zip"


class WebhookPath(BaseModel):
    webhook_id: str


class WebhooksQuery(PageQuery):
    subject_id: (
        Annotated[str, Field(max_length=64, description="Of a job, batch or session: only its webhooks.")] | None
    ) = None


class ArtifactPath(BaseModel):
    artifact_id: str


class ArtifactLinkAnswer(BaseModel):
    """`url`: absolute if the object store gives the bytes, else the path under this API."""

    url: str
    expires_at: datetime


class WorkerPath(BaseModel):
    name: str


class WorkerAnswer(BaseModel):
    worker: WorkerReport


class WorkerList(BaseModel):
    workers: list[WorkerReport]


class JobAnswer(BaseModel):
    job: Job


class SessionAnswer(BaseModel):
    session: Session
    job: Job


class BatchAnswer(BaseModel):
    batch: Batch


class BatchPage(BaseModel):
    batches: list[Batch]
    next_cursor: str | None


class ItemList(BaseModel):
    items: list[ItemStatus]
    next_cursor: str | None


class WebhookPage(BaseModel):
    webhooks: list[Webhook]
    next_cursor: str | None


class StorageStateAnswer(BaseModel):
    """As Playwright gives it: `storage_state` of a new session takes it unchanged."""

    cookies: list[dict[str, Any]]
    origins: list[dict[str, Any]]


class ScriptList(BaseModel):
    scripts: list[Script]


class SessionPage(BaseModel):
    sessions: list[Session]
    next_cursor: str | None


class JobPage(BaseModel):
    jobs: list[Job]
    next_cursor: str | None
