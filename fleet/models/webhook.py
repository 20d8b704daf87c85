"""Webhooks: what is sent to whom when something ends, and what became of it."""

from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from fleet.models.base import Record


class WebhookEvent(StrEnum):
    JOB_ENDED = "job.ended"
    BATCH_ENDED = "batch.ended"
    SESSION_ENDED = "session.ended"


class WebhookState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class ExpectedWebhook(Record):
    """One whose subject has not ended, as far as is known.

    `earlier_end`: of a batch that is retried, when it had ended before; that end is not the one to tell of.
    """

    id: str
    event: WebhookEvent
    subject_id: str
    url: str
    since: datetime
    earlier_end: datetime | None = None


class WebhookAttempt(Record):
    """`status`: of the answer; None: there was none, and `error` is the code of what stood in the way."""

    at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None


class Webhook(Record):
    """`subject_id`: of the job, batch or session that has ended. `next_attempt_at`: null once it is settled."""

    id: str
    event: WebhookEvent
    subject_id: str
    url: str
    state: WebhookState = WebhookState.PENDING
    created_at: datetime
    next_attempt_at: datetime | None = None
    attempts: list[WebhookAttempt] = []

    @property
    def receiver(self) -> str:
        """Who is to answer: host and port, in a form that can be a part of a key."""
        return urlsplit(self.url).netloc.lower().replace(":", "/")
