"""What a message of a session asks for: to run the head of its list of jobs, or to rebuild it here."""

import structlog

from fleet.errors import BrowserUnavailable, FleetError, SessionEnded, Unavailable, WorkerStopping
from fleet.models.job import Job, JobKind
from fleet.models.session import EndReason, SessionState
from fleet.store import Store
from workers.host_calls import SESSION_OPEN_SECONDS
from workers.interruptions import NoRoom, SessionElsewhere, WorkerLeaves
from workers.job_runner import JobRunner
from workers.link.client import HostClient
from workers.session_work import SessionWork

_log = structlog.get_logger(__name__)


class SessionRunner:
    def __init__(self, store: Store, host: HostClient, jobs: JobRunner, work: SessionWork) -> None:
        self._store = store
        self._host = host
        self._jobs = jobs
        self._work = work

    def run_job(self, session_id: str, *, runner: str, worker: str) -> str | None:
        """Runs the head of the session's list; the worker to wake for the next job, None: there is none to wake.

        None also when another runner holds the session: it will see to the rest when it is done. Raises NoRoom
        before anything was done, if the job is a creation; WorkerLeaves.
        """
        job_id = self._store.session_jobs.claim(session_id, runner)
        if job_id is None:
            return None
        accepted = self._store.jobs.get(job_id)
        creation = accepted if accepted is not None and accepted.kind is JobKind.SESSION_CREATE else None
        if creation is not None and not self._claim_slot(session_id, worker):
            self._store.session_jobs.unlock(session_id, runner)
            raise NoRoom
        held = self._store.sessions.hold(session_id)
        if held is not None and creation is None and not _is_at(worker, *held):
            # It has moved, or is about to: whoever restores it wakes its jobs, and a worker that has it is woken now.
            # Looked up only after the unlock: a wake-up that came before it was dropped.
            self._store.session_jobs.unlock(session_id, runner)
            return self._worker_to_wake(session_id, worker)
        try:
            self._jobs.run(
                accepted, self._work.do, worker=worker, before_failure=lambda job: self._give_up(job, worker)
            )
        except WorkerLeaves:
            self._store.session_jobs.unlock(session_id, runner)
            raise
        except SessionElsewhere as elsewhere:
            self._store.session_jobs.unlock(session_id, runner)
            return elsewhere.worker
        waiting = self._store.session_jobs.release(session_id, runner, job_id)
        return worker if waiting else None

    def _give_up(self, job: Job, worker: str) -> None:
        """A session whose creation fails has ended when that is told; one that somebody else has created lives on."""
        if job.kind is JobKind.SESSION_CREATE and job.session_id is not None:
            holder = self._store.sessions.workers_of([job.session_id]).get(job.session_id)
            if holder in {None, worker, job.worker}:
                self._store.sessions.end(job.session_id, EndReason.CREATE_FAILED)
            self._store.slots.release(worker, job.session_id)

    def restore(self, session_id: str, *, worker: str) -> str | None:
        """Rebuilds a session that nobody holds; the worker to wake for its jobs. Raises NoRoom or WorkerLeaves."""
        if not self._claim_slot(session_id, worker):
            raise NoRoom
        self._store.session_moves.bind(session_id, worker)
        session = self._store.sessions.get(session_id)
        if session is None or session.worker != worker:
            # It has ended, or another worker was faster.
            self._store.slots.release(worker, session_id)
            return self._worker_to_wake(session_id, worker)
        try:
            self._host.call("restore_session", {"session_id": session_id}, timeout_seconds=SESSION_OPEN_SECONDS)
        except WorkerStopping as error:
            self._let_go(session_id, worker)
            raise WorkerLeaves from error
        except (BrowserUnavailable, Unavailable) as error:
            self._let_go(session_id, worker)
            raise NoRoom from error
        except SessionEnded:
            # It is over, or another worker's by now.
            self._release_slot_unless_here(session_id, worker)
            return self._worker_to_wake(session_id, worker)
        except FleetError as error:
            self._store.sessions.end(session_id, EndReason.CRASHED)
            self._store.slots.release(worker, session_id)
            _log.error("session not restored", session=session_id, code=error.code, cause=error.message)
        return worker

    def _worker_to_wake(self, session_id: str, worker: str) -> str | None:
        """The one that runs its jobs, `worker` if it has ended; None while nobody does. Raises NoRoom."""
        session = self._store.sessions.get(session_id)
        if session is None:
            return worker
        if session.state is SessionState.DRAINING:
            # It is about to be handed over, or may end before: then nobody else would wake its jobs.
            raise NoRoom
        return session.worker

    def _claim_slot(self, session_id: str, worker: str) -> bool:
        """True also for a session that has ended meanwhile: its creation fails without a slot."""
        dies_at = self._store.sessions.dies_at(session_id)
        return dies_at is None or self._store.room.try_claim(worker, session_id, dies_at)

    def _let_go(self, session_id: str, worker: str) -> None:
        self._store.session_moves.give_up(session_id, worker)
        self._store.slots.release(worker, session_id)

    def _release_slot_unless_here(self, session_id: str, worker: str) -> None:
        if self._store.sessions.workers_of([session_id]).get(session_id) != worker:
            self._store.slots.release(worker, session_id)


def _is_at(worker: str, state: SessionState, holder: str | None) -> bool:
    return holder == worker and state is not SessionState.DRAINING
