"""A session's storage state: asked of the worker that holds it, in the order of the session's jobs."""

from app.services.accepted import new_job
from app.services.jobs import JobService
from app.services.sessions import SessionService
from fleet.errors import SessionBusy, error_from
from fleet.models.job import InternalJobKind, Job
from fleet.store.storage_states import StorageStateStore

_WAIT_SECONDS = 30
_RETRY_AFTER_SECONDS = 5


class StorageStateService:
    def __init__(self, states: StorageStateStore, sessions: SessionService, jobs: JobService) -> None:
        self._states = states
        self._sessions = sessions
        self._jobs = jobs

    def get(self, session_id: str, request_id: str) -> str:
        """Playwright's storage state as JSON.

        Raises SessionNotFound, SessionEnded, SessionBusy, StoreUnavailable, or why the worker could not take it.
        """
        job = new_job(InternalJobKind.STORAGE_STATE, request_id, session_id)
        self._sessions.accept_job(job, "{}")
        return self._taken(self._ended(job.id))

    def _ended(self, job_id: str) -> Job:
        job = self._jobs.wait(job_id, _WAIT_SECONDS)
        if not job.is_finished:
            self._jobs.cancel(job_id)
            raise _busy()
        return job

    def _taken(self, job: Job) -> str:
        if job.error is not None:
            raise error_from(job.error.code, job.error.message, job.error.details)
        state_json = self._states.take(job.id)
        if state_json is None:
            raise _busy()
        return state_json


def _busy() -> SessionBusy:
    message = f"The session did not come to it within {_WAIT_SECONDS} s: jobs before it take long. Try again later."
    return SessionBusy(message, retry_after=_RETRY_AFTER_SECONDS)
