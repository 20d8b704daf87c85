"""What a pool child does with a job: ask the host, store the artifacts, record the outcome."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.errors import FleetError, InternalError, JobCancelled, SessionEnded, WorkerLost
from fleet.models.capture import CAPTURE_TIMEOUT_MAX, CaptureRequest, OneShotCaptureRequest
from fleet.models.job import InternalJobKind, Job, JobError, JobKind, JobState
from fleet.models.manifest import Manifest, PageVisit, Timings
from fleet.models.session import EndReason, SessionState
from fleet.queues import CAPTURES_QUEUE, SESSIONS_QUEUE
from fleet.store import JOB_HARD_LIMIT_SECONDS, Store
from workers.artifact_writer import ArtifactWriter
from workers.link.client import HostClient

_log = structlog.get_logger(__name__)

# A job that has taken this many processes with it is at fault itself.
_ATTEMPTS_MAX = 3
_SESSION_OPEN_SECONDS = 60
_SESSION_CLOSE_SECONDS = 15
# Less than the request waits that wants it.
_STORAGE_STATE_SECONDS = 20
# The host keeps the capture's timeout; closing its context may take a little longer.
_CLOSING_MARGIN_SECONDS = 10


class NoRoom(Exception):
    """The worker may take no session now; the creation belongs back in its queue."""


class JobRunner:
    def __init__(self, *, store: Store, storage: ArtifactStorage, host: HostClient, artifact_ttl_seconds: int) -> None:
        self._store = store
        self._host = host
        self._writer = ArtifactWriter(store.artifacts, storage, ttl=timedelta(seconds=artifact_ttl_seconds))

    def run_capture(self, job_id: str, *, worker: str) -> None:
        job = self._start(self._store.jobs.get(job_id), worker)
        self._store.waiting.leave(CAPTURES_QUEUE, job_id)
        if job is not None:
            self._store.throughput.count(CAPTURES_QUEUE)
            self._finish(job, self._one_shot_capture)

    def run_session_job(self, session_id: str, *, runner: str, worker: str) -> int:
        """Runs the head of the session's list; the number of jobs that wait behind it.

        0 also when another runner holds the session: it will be told of the rest when it is done.
        Raises NoRoom before anything was done, if the job is a creation and the worker may take no session now.
        """
        job_id = self._store.session_jobs.claim(session_id, runner)
        if job_id is None:
            return 0
        accepted = self._store.jobs.get(job_id)
        if accepted and accepted.kind is JobKind.SESSION_CREATE and not self._claim_slot(session_id, worker):
            self._store.session_jobs.unlock(session_id, runner)
            raise NoRoom
        job = self._start(accepted, worker)
        if job is not None:
            if job.kind is JobKind.SESSION_CREATE:
                self._store.waiting.leave(SESSIONS_QUEUE, job_id)
                self._store.throughput.count(SESSIONS_QUEUE)
            self._finish(job, self._session_work(job.kind))
        return self._store.session_jobs.release(session_id, runner, job_id)

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
        return self._store.jobs.move(
            job, JobState.RUNNING, worker=worker, attempts=job.attempts + 1, started_at=utc_now()
        )

    def _finish(self, job: Job, work: Callable[[Job], Manifest | None]) -> None:
        structlog.contextvars.bind_contextvars(job=job.id, session=job.session_id, request=job.request_id)
        started = time.monotonic()
        outcome: Manifest | FleetError | None
        try:
            outcome = work(job)
        except FleetError as error:
            outcome = error
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("job failed by a defect")
            outcome = InternalError("The worker failed; its log has the cause under this job's id. Send it again.")
        self._record(job, outcome)
        code = outcome.code if isinstance(outcome, FleetError) else None
        _log.info("job ended", kind=job.kind.value, code=code, seconds=round(time.monotonic() - started, 3))
        structlog.contextvars.unbind_contextvars("job", "session", "request")

    def _record(self, job: Job, outcome: Manifest | FleetError | None) -> None:
        changes: dict[str, Any] = {"finished_at": utc_now()}
        if isinstance(outcome, FleetError):
            cancelled = isinstance(outcome, JobCancelled)
            changes["error"] = JobError(code=outcome.code, message=outcome.message, details=outcome.details)
            self._store.jobs.move(job, JobState.CANCELLED if cancelled else JobState.FAILED, **changes)
        else:
            self._store.jobs.move(job, JobState.SUCCEEDED, result=outcome, **changes)

    def _one_shot_capture(self, job: Job) -> Manifest:
        body = self._request_of(job)
        request = OneShotCaptureRequest.model_validate_json(body)
        answer = self._host.call("capture", {"job_id": job.id, "request": body}, timeout_seconds=_allowance(request))
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
        self._hold(session_id)
        options = self._store.sessions.options(session_id)
        params = {
            "job_id": job.id,
            "session_id": session_id,
            "request": options,
            "scripts": self._store.scripts.sources(session_id),
        }
        try:
            opened = self._host.call("open_session", params, timeout_seconds=_SESSION_OPEN_SECONDS)
        except FleetError:
            self._store.sessions.end(session_id, EndReason.CREATE_FAILED)
            self._store.slots.release(job.worker or "", session_id)
            raise
        alive = self._store.sessions.renew(session_id, state=SessionState.RUNNING.value, worker=job.worker, **opened)
        if not alive:
            self._close_context(session_id)
            self._store.slots.release(job.worker or "", session_id)
            raise self._ended(session_id)

    def _delete_session(self, job: Job) -> None:
        session_id = _session_of(job)
        self._close_context(session_id)
        self._store.sessions.end(session_id, EndReason.DELETED)
        self._store.slots.release(job.worker or "", session_id)

    def _close_context(self, session_id: str) -> None:
        self._host.call("close_session", {"session_id": session_id}, timeout_seconds=_SESSION_CLOSE_SECONDS)

    def _session_capture(self, job: Job) -> Manifest:
        session_id = _session_of(job)
        self._hold(session_id)
        body = self._request_of(job)
        request = CaptureRequest.model_validate_json(body)
        params = {
            "job_id": job.id,
            "session_id": session_id,
            "request": body,
            "scripts": self._store.scripts.sources(session_id),
        }
        try:
            answer = self._host.call("session_capture", params, timeout_seconds=_allowance(request))
            manifest = self._manifest(job, answer)
        except SessionEnded:
            # The host has no such context (any more): the store has ended the session, or else
            # the host, or its Chrome, is not the one that opened it.
            self._store.sessions.end(session_id, EndReason.CRASHED)
            raise self._ended(session_id) from None
        except FleetError:
            self._store.sessions.renew(session_id)
            raise
        self._store.sessions.renew(session_id, url=manifest.final_url, title=manifest.title)
        return manifest

    def _storage_state(self, job: Job) -> None:
        session_id = _session_of(job)
        self._hold(session_id)
        params = {"job_id": job.id, "session_id": session_id}
        try:
            answer = self._host.call("storage_state", params, timeout_seconds=_STORAGE_STATE_SECONDS)
        except SessionEnded:
            # As for a capture: the host that opened the session is gone.
            self._store.sessions.end(session_id, EndReason.CRASHED)
            raise self._ended(session_id) from None
        finally:
            self._store.sessions.renew(session_id)
        self._store.storage_states.hand_over(job.id, answer["state"])

    def _hold(self, session_id: str) -> None:
        """Keeps the session alive for as long as the job can take. Raises SessionEnded."""
        if not self._store.sessions.hold(session_id, at_least_seconds=JOB_HARD_LIMIT_SECONDS):
            raise self._ended(session_id)

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


def _allowance(request: CaptureRequest) -> float:
    """Seconds that the host may take for a capture."""
    return min(request.timeout, CAPTURE_TIMEOUT_MAX) / 1000 + _CLOSING_MARGIN_SECONDS
