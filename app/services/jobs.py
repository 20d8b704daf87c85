"""Jobs as clients see them: with their position in the queue, waited for, cancelled."""

from app.job_waiter import JobWaiter
from app.services.sessions import SessionService
from fleet.clock import utc_now
from fleet.errors import JobNotFound
from fleet.ids import is_id
from fleet.models.job import Job, JobError, JobKind, JobState
from fleet.queues import SESSIONS_QUEUE, SharedQueue, capture_queue
from fleet.store import Store
from fleet.store.index import Cursor, Page


class JobService:
    def __init__(self, store: Store, waiter: JobWaiter, sessions: SessionService) -> None:
        self._store = store
        self._waiter = waiter
        self._sessions = sessions

    def get(self, job_id: str) -> Job:
        """Raises JobNotFound."""
        job = self._read(job_id)
        return job.evolve(position=self._position(job)) if job.state is JobState.QUEUED else job

    def wait(self, job_id: str, seconds: float) -> Job:
        """The job at its end, or as it stands after `seconds`. Raises JobNotFound."""
        return self._waiter.wait(lambda: self._read(job_id), job_id, seconds)

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Job]:
        return self._store.jobs.newest(limit=limit, cursor=cursor)

    def cancel(self, job_id: str) -> Job:
        """A queued job is cancelled at once, a running one is asked to stop, a finished one stays as it is."""
        job = self._read(job_id)
        if job.state is JobState.QUEUED:
            job = self._cancel_queued(job)
        if job.state is JobState.RUNNING:
            self._store.jobs.ask_to_cancel(job_id)
        return job

    def _cancel_queued(self, job: Job) -> Job:
        error = JobError(code="job_cancelled", message="The job was cancelled before it ran.")
        cancelled = self._store.jobs.move(job, JobState.CANCELLED, finished_at=utc_now(), error=error)
        if cancelled is None:
            return self._read(job.id)
        self._store.waiting.leave(_queue_of(job), job.id)
        if job.kind is JobKind.SESSION_CREATE and job.session_id is not None:
            self._sessions.abandon(job.session_id)
        return cancelled

    def _read(self, job_id: str) -> Job:
        job = self._store.jobs.get(job_id) if is_id(job_id, "job") else None
        if job is None:
            raise JobNotFound(f"There is no job '{job_id[:64]}', or its record has expired.")
        return job

    def _position(self, job: Job) -> int | None:
        if job.session_id is not None and job.kind is not JobKind.SESSION_CREATE:
            return self._store.session_jobs.position(job.session_id, job.id)
        return self._store.waiting.position(_queue_of(job), job.id)


def _queue_of(job: Job) -> SharedQueue:
    return SESSIONS_QUEUE if job.kind is JobKind.SESSION_CREATE else capture_queue(job.batch_id)
