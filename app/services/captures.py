"""Captures become jobs: one-shot ones in the shared queue, those of a session on its list."""

from app.services.accepted import Accepted
from app.services.sessions import SessionService
from app.task_queue import TaskQueue
from fleet.clock import utc_now
from fleet.errors import QueueFull, StoreUnavailable
from fleet.ids import new_id
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.job import Job, JobKind
from fleet.queues import CAPTURES_QUEUE
from fleet.store import Store


class CaptureService:
    def __init__(self, store: Store, queue: TaskQueue, sessions: SessionService) -> None:
        self._store = store
        self._queue = queue
        self._sessions = sessions

    def capture(self, request: OneShotCaptureRequest, request_id: str) -> Accepted:
        """Raises QueueFull or StoreUnavailable; then nothing will run."""
        job = Job(id=new_id("job"), kind=JobKind.CAPTURE, queued_at=utc_now(), request_id=request_id)
        if not self._store.waiting.try_join(CAPTURES_QUEUE, job.id, job.queued_at):
            raise QueueFull("As many captures wait as the fleet allows. Try again later.", retry_after=5)
        try:
            self._store.jobs.create(job, request.model_dump_json(exclude_unset=True))
            self._queue.send_capture(job.id)
        except StoreUnavailable:
            self._store.waiting.try_leave(CAPTURES_QUEUE, job.id)
            self._store.jobs.try_discard(job.id)
            raise
        return Accepted(job.evolve(position=self._store.waiting.position(CAPTURES_QUEUE, job.id)))

    def capture_in_session(self, session_id: str, request: CaptureRequest, request_id: str) -> Accepted:
        """Raises SessionNotFound, SessionEnded or StoreUnavailable."""
        job = Job(
            id=new_id("job"),
            kind=JobKind.CAPTURE,
            session_id=session_id,
            queued_at=utc_now(),
            request_id=request_id,
        )
        return self._sessions.accept_job(job, request.model_dump_json(exclude_unset=True))
