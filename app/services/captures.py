"""Captures become jobs: one-shot ones in the shared queue, those of a session on its list."""

from app.services.accepted import Accepted, new_job
from app.services.sessions import SessionService
from app.services.shared_queue import SharedQueueService
from app.task_queue import TaskQueue
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.job import JobKind
from fleet.queues import CAPTURES_QUEUE


class CaptureService:
    def __init__(self, queue: TaskQueue, shared: SharedQueueService, sessions: SessionService) -> None:
        self._queue = queue
        self._shared = shared
        self._sessions = sessions

    def capture(self, request: OneShotCaptureRequest, request_id: str) -> Accepted:
        """Raises QueueFull or StoreUnavailable; then nothing will run."""
        job = new_job(JobKind.CAPTURE, request_id)
        body = request.model_dump_json(exclude_unset=True)
        return self._shared.accept(CAPTURES_QUEUE, job, body, lambda: self._queue.send_capture(job.id))

    def capture_in_session(self, session_id: str, request: CaptureRequest, request_id: str) -> Accepted:
        """Raises SessionNotFound, SessionEnded or StoreUnavailable."""
        job = new_job(JobKind.CAPTURE, request_id, session_id)
        return self._sessions.accept_job(job, request.model_dump_json(exclude_unset=True))
