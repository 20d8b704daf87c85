"""What a pool child does with a job: ask the host, store the artifacts, record the outcome."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.errors import (
    BrowserUnavailable,
    FleetError,
    InternalError,
    JobCancelled,
    SessionEnded,
    SessionRestored,
    StoreUnavailable,
    Unavailable,
    WorkerLost,
    WorkerStopping,
)
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.job import InternalJobKind, Job, JobError, JobKind, JobState
from fleet.models.manifest import Manifest, PageVisit, Timings
from fleet.models.session import EndReason, SessionState
from fleet.models.waits import CAPTURE_TIMEOUT_MAX
from fleet.queues import queue_of
from fleet.store import JOB_SOFT_LIMIT_SECONDS, Store
from fleet.store.throughput import SINGLE_JOBS
from workers.artifact_writer import ArtifactWriter
from workers.link.client import HostClient
from workers.metrics import WorkerCounts

_log = structlog.get_logger(__name__)

# A job that has taken this many processes with it is at fault itself.
_ATTEMPTS_MAX = 3
_SESSION_OPEN_SECONDS = 60
_SESSION_CLOSE_SECONDS = 15
# Less than the request waits that wants it.
_STORAGE_STATE_SECONDS = 20
# The host keeps the capture's timeout; closing its context may take a little longer.
_CLOSING_MARGIN_SECONDS = 10
# Before a job is run again, times the number of its attempts: the host or its Chrome comes back meanwhile.
_AGAIN_SECONDS = 0.5


class NoRoom(Exception):
    """This worker may take no session now: the message belongs back in its queue."""


class WorkerLeaves(Exception):
    """This worker stops; the job is queued again, and what the worker has in hand will be handed over."""


class _SessionElsewhere(Exception):
    """The session has moved under its job, which stays at the head of its list; `worker` has it now, if one has."""

    def __init__(self, worker: str | None) -> None:
        super().__init__(worker)
        self.worker = worker


class _RunAgain(Exception):
    """The host or its Chrome went away under a job that can be run a second time; the cause is a FleetError."""

    def __init__(self, cause: FleetError, needs_seconds: float) -> None:
        super().__init__(cause)
        self.cause = cause
        self.needs_seconds = needs_seconds


class JobRunner:
    def __init__(  # noqa: PLR0913  # its parts, all by name
        self,
        *,
        store: Store,
        storage: ArtifactStorage,
        host: HostClient,
        counts: WorkerCounts,
        artifact_ttl_seconds: int,
        on_batch_job_end: Callable[[Job], None] = lambda _job: None,
    ) -> None:
        """`on_batch_job_end` hears of each job of a batch whose outcome has just been recorded."""
        self._store = store
        self._on_batch_job_end = on_batch_job_end
        self._counts = counts
        self._host = host
        self._writer = ArtifactWriter(store.artifacts, storage, ttl=timedelta(seconds=artifact_ttl_seconds))

    def run_capture(self, job_id: str, *, worker: str, redelivered: bool) -> None:
        """`redelivered`: the broker gave the message out before. Raises WorkerLeaves."""
        accepted = self._store.jobs.get(job_id)
        if accepted is not None and not redelivered and self._runs_elsewhere(accepted, worker):
            return
        job = self._start(accepted, worker)
        if job is not None:
            self._finish(job, self._one_shot_capture)

    def _runs_elsewhere(self, job: Job, worker: str) -> bool:
        """What a lost worker had in hand was sent again, and then it turned out not to be lost.

        One that was started anew since then under the same name was.
        """
        if job.state is not JobState.RUNNING or job.worker is None or job.started_at is None or job.worker == worker:
            return False
        report = self._store.workers.report(job.worker)
        return report is not None and report.started_at < job.started_at

    def run_session_job(self, session_id: str, *, runner: str, worker: str) -> str | None:
        """Runs the head of the session's list; the worker to wake for the next job, None: there is none to wake.

        None also when another runner holds the session: it will see to the rest when it is done. Raises NoRoom
        before anything was done, if the job is a creation; WorkerLeaves.
        """
        job_id = self._store.session_jobs.claim(session_id, runner)
        if job_id is None:
            return None
        accepted = self._store.jobs.get(job_id)
        creates = accepted is not None and accepted.kind is JobKind.SESSION_CREATE
        if creates and not self._claim_slot(session_id, worker):
            self._store.session_jobs.unlock(session_id, runner)
            raise NoRoom
        held = self._store.sessions.hold(session_id)
        if held is not None and not creates and not _is_at(worker, *held):
            # It has moved, or is about to: whoever restores it wakes its jobs, and a worker that has it is woken now.
            # Looked up only after the unlock: a wake-up that came before it was dropped.
            self._store.session_jobs.unlock(session_id, runner)
            return self._worker_to_wake(session_id, worker)
        job = self._start(accepted, worker)
        try:
            if job is not None:
                self._finish(job, self._session_work(job.kind))
        except WorkerLeaves:
            self._store.session_jobs.unlock(session_id, runner)
            raise
        except _SessionElsewhere as elsewhere:
            self._store.session_jobs.unlock(session_id, runner)
            return elsewhere.worker
        waiting = self._store.session_jobs.release(session_id, runner, job_id)
        return worker if waiting else None

    def _worker_to_wake(self, session_id: str, worker: str) -> str | None:
        """The one that runs its jobs, `worker` if it has ended; None while nobody does. Raises NoRoom."""
        session = self._store.sessions.get(session_id)
        if session is None:
            return worker
        if session.state is SessionState.DRAINING:
            # It is about to be handed over, or may end before: then nobody else would wake its jobs.
            raise NoRoom
        return session.worker

    def restore_session(self, session_id: str, *, worker: str) -> str | None:
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
            self._host.call("restore_session", {"session_id": session_id}, timeout_seconds=_SESSION_OPEN_SECONDS)
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

    def _release_slot_unless_here(self, session_id: str, worker: str) -> None:
        if self._store.sessions.workers_of([session_id]).get(session_id) != worker:
            self._store.slots.release(worker, session_id)

    def _let_go(self, session_id: str, worker: str) -> None:
        self._store.session_moves.give_up(session_id, worker)
        self._store.slots.release(worker, session_id)

    def _claim_slot(self, session_id: str, worker: str) -> bool:
        """True also for a session that has ended meanwhile: its creation fails without a slot."""
        dies_at = self._store.sessions.dies_at(session_id)
        return dies_at is None or self._store.room.try_claim(worker, session_id, dies_at)

    def _start(self, job: Job | None, worker: str) -> Job | None:
        """The job, now running here; None if there is nothing to run: cancelled, finished, expired."""
        if job is None:
            return None
        if job.attempts >= _ATTEMPTS_MAX:
            lost = WorkerLost(f"The job's worker process died {job.attempts} times; it is not tried again.")
            self._record(job, lost)
            if job.kind is JobKind.SESSION_CREATE:
                self._store.sessions.end(_session_of(job), EndReason.CREATE_FAILED)
            return None
        started = self._store.jobs.move(
            job, JobState.RUNNING, worker=worker, attempts=job.attempts + 1, started_at=utc_now()
        )
        if started is not None and (counted := _counted_as(started)):
            self._store.throughput.count(*counted)
        return started

    def _finish(self, job: Job, work: Callable[[Job], Manifest | None]) -> None:
        """Raises WorkerLeaves, if another one can run the job; StoreUnavailable, if its outcome cannot be recorded."""
        with structlog.contextvars.bound_contextvars(job=job.id, session=job.session_id, request=job.request_id):
            self._finish_job(job, work)

    def _finish_job(self, job: Job, work: Callable[[Job], Manifest | None]) -> None:
        started = time.monotonic()
        outcome: Manifest | FleetError | None
        try:
            job, outcome = self._run(job, work)
        except (WorkerLeaves, StoreUnavailable, _SessionElsewhere):
            raise
        except FleetError as error:
            outcome = error
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("job failed by a defect")
            outcome = InternalError("The worker failed; its log has the cause under this job's id. Send it again.")
        self._record(job, outcome)
        _log.info(
            "job ended",
            kind=job.kind.value,
            attempts=job.attempts,
            code=outcome.code if isinstance(outcome, FleetError) else None,
            cause=outcome.message if isinstance(outcome, FleetError) else None,
            duration_ms=round((time.monotonic() - started) * 1000, 1),
        )

    def _run(self, job: Job, work: Callable[[Job], Manifest | None]) -> tuple[Job, Manifest | None]:
        """Runs it, and again when the host or its Chrome went away under it. Raises FleetError or WorkerLeaves."""
        deadline = time.monotonic() + JOB_SOFT_LIMIT_SECONDS
        while True:
            try:
                return job, work(job)
            except _RunAgain as again:
                if isinstance(again.cause, WorkerStopping):
                    self._store.jobs.move(job, JobState.QUEUED, worker=None, started_at=None, attempts=job.attempts - 1)
                    raise WorkerLeaves from again.cause
                if job.attempts >= _ATTEMPTS_MAX or time.monotonic() + again.needs_seconds > deadline:
                    raise again.cause from again
                _log.warning("job is run again", job=job.id, code=again.cause.code, attempts=job.attempts)
                time.sleep(_AGAIN_SECONDS * job.attempts * random.uniform(0.5, 1))
                self._counts.job_reruns.labels(again.cause.code).inc()
                job = self._store.jobs.move(job, JobState.RUNNING, attempts=job.attempts + 1) or job

    def _record(self, job: Job, outcome: Manifest | FleetError | None) -> None:
        changes: dict[str, Any] = {"finished_at": utc_now()}
        if isinstance(outcome, FleetError):
            cancelled = isinstance(outcome, JobCancelled)
            changes["error"] = JobError(code=outcome.code, message=outcome.message, details=outcome.details)
            ended = self._store.jobs.move(job, JobState.CANCELLED if cancelled else JobState.FAILED, **changes)
        else:
            ended = self._store.jobs.move(job, JobState.SUCCEEDED, result=outcome, **changes)
        # Of two runners only one has recorded the outcome.
        if ended is not None:
            self._counts.job_ended(ended)
            if ended.batch_id is not None:
                self._on_batch_job_end(ended)

    def _ask_host(
        self, command: str, params: dict[str, Any], *, seconds: float, repeatable: bool = True
    ) -> dict[str, Any]:
        """Raises _RunAgain instead of BrowserUnavailable and WorkerStopping, if the job may be run a second time."""
        try:
            return self._host.call(command, params, timeout_seconds=seconds)
        except (BrowserUnavailable, WorkerStopping) as error:
            if repeatable:
                raise _RunAgain(error, seconds) from error
            raise

    def _one_shot_capture(self, job: Job) -> Manifest:
        body = self._request_of(job)
        request = OneShotCaptureRequest.model_validate_json(body)
        params = {"job_id": job.id, "request": body}
        answer = self._ask_host("capture", params, seconds=_allowance(request), repeatable=not request.acts)
        return self._manifest(job, answer)

    def _session_work(self, kind: JobKind | InternalJobKind) -> Callable[[Job], Manifest | None]:
        work: dict[JobKind | InternalJobKind, Callable[[Job], Manifest | None]] = {
            JobKind.SESSION_CREATE: self._create_session,
            JobKind.SESSION_DELETE: self._delete_session,
            JobKind.CAPTURE: self._session_capture,
            InternalJobKind.STORAGE_STATE: self._storage_state,
        }
        return work[kind]

    def _create_session(self, job: Job) -> None:
        session_id = _session_of(job)
        worker = job.worker or ""
        options = self._store.sessions.options(session_id)
        if options is None:
            raise self._ended(session_id)
        params = {
            "job_id": job.id,
            "session_id": session_id,
            "request": options,
            "scripts": self._store.scripts.sources(session_id),
        }
        try:
            opened = self._ask_host("open_session", params, seconds=_SESSION_OPEN_SECONDS)
        except _RunAgain as again:
            if job.attempts >= _ATTEMPTS_MAX:
                self._discard_session(session_id, worker)
            elif isinstance(again.cause, WorkerStopping):
                self._store.slots.release(worker, session_id)
            raise
        except FleetError:
            self._discard_session(session_id, worker)
            raise
        started = self._store.session_moves.start(session_id, worker)
        if not started or not self._store.sessions.renew(session_id, **opened):
            self._close_context(session_id)
            self._store.slots.release(worker, session_id)
            raise self._ended(session_id)

    def _discard_session(self, session_id: str, worker: str) -> None:
        self._store.sessions.end(session_id, EndReason.CREATE_FAILED)
        self._store.slots.release(worker, session_id)

    def _delete_session(self, job: Job) -> None:
        session_id = _session_of(job)
        self._close_context(session_id)
        self._store.sessions.end(session_id, EndReason.DELETED)
        self._store.slots.release(job.worker or "", session_id)

    def _close_context(self, session_id: str) -> None:
        try:
            self._host.call("close_session", {"session_id": session_id}, timeout_seconds=_SESSION_CLOSE_SECONDS)
        except (BrowserUnavailable, WorkerStopping):
            # With the host, or with the session, goes the context.
            _log.warning("context not closed: the host is away", session=session_id)

    def _session_capture(self, job: Job) -> Manifest:
        session_id = _session_of(job)
        body = self._request_of(job)
        request = CaptureRequest.model_validate_json(body)
        params = {
            "job_id": job.id,
            "session_id": session_id,
            "request": body,
            "scripts": self._store.scripts.sources(session_id),
        }
        changes: dict[str, Any] = {}
        try:
            answer = self._ask_for_session(
                job, "session_capture", params, seconds=_allowance(request), repeatable=not request.acts
            )
            manifest = self._manifest(job, answer)
            changes = {"url": manifest.final_url, "title": manifest.title, "crashes": 0}
        except (BrowserUnavailable, WorkerStopping) as error:
            message = (
                "The session's browser went away during the job, whose actions may have been done. Look, then go on."
            )
            raise SessionRestored(message) from error
        finally:
            self._store.sessions.renew(session_id, **changes)
        return manifest

    def _storage_state(self, job: Job) -> None:
        session_id = _session_of(job)
        params = {"job_id": job.id, "session_id": session_id}
        try:
            answer = self._ask_for_session(job, "storage_state", params, seconds=_STORAGE_STATE_SECONDS)
        finally:
            self._store.sessions.renew(session_id)
        self._store.storage_states.hand_over(job.id, answer["state"])

    def _ask_for_session(
        self, job: Job, command: str, params: dict[str, Any], *, seconds: float, repeatable: bool = True
    ) -> dict[str, Any]:
        """As _ask_host. Raises SessionEnded also when it ended meanwhile, _SessionElsewhere when it moved."""
        try:
            return self._ask_host(command, params, seconds=seconds, repeatable=repeatable)
        except SessionEnded as error:
            self._follow_session(_session_of(job), job.worker)
            # It went, and has come back since.
            gone = BrowserUnavailable("The session's browser context was replaced during the job. Send it again.")
            if repeatable:
                raise _RunAgain(gone, seconds) from error
            raise gone from error

    def _follow_session(self, session_id: str, worker: str | None) -> None:
        """Returns if the session is still at this worker."""
        holders = self._store.sessions.workers_of([session_id])
        if session_id not in holders:
            raise self._ended(session_id)
        if holders[session_id] != worker:
            raise _SessionElsewhere(holders[session_id])

    def _ended(self, session_id: str) -> SessionEnded:
        ending = self._store.sessions.ending(session_id)
        reason = ending.end_reason.value if ending else "unknown"
        return SessionEnded(f"The session ended ({reason}) before this job was done.", end_reason=reason)

    def _request_of(self, job: Job) -> str:
        body = self._store.jobs.request(job.id)
        if body is None:
            raise InternalError("What the job was asked to do is no longer known. Send it again.")
        return body

    def _manifest(self, job: Job, answer: dict[str, Any]) -> Manifest:
        visit = PageVisit.model_validate_json(answer["visit"])
        started = time.perf_counter()
        artifacts = [self._writer.write(output) for output in answer["outputs"]]
        stored_ms = round((time.perf_counter() - started) * 1000, 1)
        waited = (job.started_at or job.queued_at) - job.queued_at
        timings = Timings(
            **visit.timings.model_dump(exclude={"queue", "store"}),
            queue=round(waited.total_seconds() * 1000, 1),
            store=stored_ms,
        )
        return Manifest(**visit.model_dump(exclude={"timings"}), timings=timings, artifacts=artifacts)


def _session_of(job: Job) -> str:
    if job.session_id is None:
        raise InternalError("The job names no session.")
    return job.session_id


def _counted_as(job: Job) -> list[str]:
    """What moves on as it starts: its queue, unless it waited in a list of its session; single jobs, if it is one."""
    queues: list[str] = [queue_of(job)] if job.session_id is None or job.kind is JobKind.SESSION_CREATE else []
    return queues if job.batch_id else [SINGLE_JOBS, *queues]


def _is_at(worker: str, state: SessionState, holder: str | None) -> bool:
    return holder == worker and state is not SessionState.DRAINING


def _allowance(request: CaptureRequest) -> float:
    """Seconds that the host may take for a capture."""
    return min(request.timeout, CAPTURE_TIMEOUT_MAX) / 1000 + _CLOSING_MARGIN_SECONDS
