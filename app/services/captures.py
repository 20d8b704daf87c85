"""Captures become jobs: one-shot ones in the shared queue, those of a session on its list."""

from app.services.accepted import Accepted, new_job
from app.services.sessions import SessionService
from app.services.shared_queue import SharedQueueService
from app.services.webhooks import WebhookService
from app.task_queue import TaskQueue
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.job import JobKind
from fleet.models.webhook import WebhookEvent
from fleet.queues import CAPTURES_QUEUE


class CaptureService:
    def __init__(
        self, queue: TaskQueue, shared: SharedQueueService, sessions: SessionService, webhooks: WebhookService
    ) -> None:
        self._queue = queue
        self._shared = shared
        self._sessions = sessions
        self._webhooks = webhooks

    def capture(self, request: OneShotCaptureRequest, request_id: str) -> Accepted:
        """Raises InvalidRequest, QueueFull or StoreUnavailable; then nothing will run."""
        job = new_job(JobKind.CAPTURE, request_id)
        self._webhooks.expect(WebhookEvent.JOB_ENDED, job.id, request.webhook_url)
        body = request.model_dump_json(exclude_unset=True, exclude={"webhook_url"})
        return self._shared.accept(CAPTURES_QUEUE, job, body, lambda: self._queue.send_capture(job.id))

    def capture_in_session(self, session_id: str, request: CaptureRequest, request_id: str) -> Accepted:
        """Raises InvalidRequest, SessionNotFound, SessionEnded or StoreUnavailable."""
        job = new_job(JobKind.CAPTURE, request_id, session_id)
        self._webhooks.expect(WebhookEvent.JOB_ENDED, job.id, request.webhook_url)
        body = request.model_dump_json(exclude_unset=True, exclude={"webhook_url"})
        return self._sessions.accept_job(job, body)
