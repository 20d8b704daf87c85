"""What each kind of job does in its session: it is created, used, asked for its state, deleted."""

from typing import Any

import structlog

from fleet.errors import (
    BrowserUnavailable,
    InternalError,
    SessionEnded,
    SessionRestored,
    WorkerStopping,
)
from fleet.models.capture import CaptureRequest
from fleet.models.job import InternalJobKind, Job, JobKind
from fleet.models.manifest import Manifest
from fleet.models.session import EndReason
from fleet.store import Store
from workers.artifact_writer import ArtifactWriter
from workers.host_calls import SESSION_OPEN_SECONDS, allowance, ask, request_of
from workers.interruptions import RunAgain, SessionElsewhere
from workers.job_runner import Work
from workers.link.client import HostClient
from workers.manifests import write_manifest

_SESSION_CLOSE_SECONDS = 15
# Less than the request waits that wants it.
_STORAGE_STATE_SECONDS = 20

_log = structlog.get_logger(__name__)


class SessionWork:
    def __init__(self, store: Store, host: HostClient, writer: ArtifactWriter) -> None:
        self._store = store
        self._host = host
        self._writer = writer

    def do(self, job: Job) -> Manifest | None:
        """Raises FleetError; RunAgain; SessionElsewhere if the session has moved meanwhile."""
        work: dict[JobKind | InternalJobKind, Work] = {
            JobKind.SESSION_CREATE: self._create,
            JobKind.SESSION_DELETE: self._delete,
            JobKind.CAPTURE: self._capture,
            InternalJobKind.STORAGE_STATE: self._storage_state,
        }
        return work[job.kind](job)

    def _create(self, job: Job) -> None:
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
            opened = ask(self._host, "open_session", params, seconds=SESSION_OPEN_SECONDS)
        except RunAgain as again:
            if isinstance(again.cause, WorkerStopping):
                # It is created elsewhere.
                self._store.slots.release(worker, session_id)
            raise
        started = self._store.session_moves.start(session_id, worker)
        if not started or not self._store.sessions.renew(session_id, **opened):
            self._close_context(session_id)
            raise self._ended(session_id)

    def _delete(self, job: Job) -> None:
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

    def _capture(self, job: Job) -> Manifest:
        session_id = _session_of(job)
        body = request_of(job, self._store.jobs)
        request = CaptureRequest.model_validate_json(body)
        params = {
            "job_id": job.id,
            "session_id": session_id,
            "request": body,
            "scripts": self._store.scripts.sources(session_id),
        }
        changes: dict[str, Any] = {}
        try:
            answer = self._ask(job, "session_capture", params, seconds=allowance(request), repeatable=not request.acts)
            manifest = write_manifest(job, answer, self._writer)
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
            answer = self._ask(job, "storage_state", params, seconds=_STORAGE_STATE_SECONDS)
        finally:
            self._store.sessions.renew(session_id)
        self._store.storage_states.hand_over(job.id, answer["state"])

    def _ask(
        self, job: Job, command: str, params: dict[str, Any], *, seconds: float, repeatable: bool = True
    ) -> dict[str, Any]:
        """As host_calls.ask. Raises SessionEnded also when it ended meanwhile, SessionElsewhere when it moved."""
        try:
            return ask(self._host, command, params, seconds=seconds, repeatable=repeatable)
        except SessionEnded as error:
            self._follow(_session_of(job), job.worker)
            # It went, and has come back since.
            gone = BrowserUnavailable("The session's browser context was replaced during the job. Send it again.")
            if repeatable:
                raise RunAgain(gone, seconds) from error
            raise gone from error

    def _follow(self, session_id: str, worker: str | None) -> None:
        """Returns if the session is still at this worker."""
        holders = self._store.sessions.workers_of([session_id])
        if session_id not in holders:
            raise self._ended(session_id)
        if holders[session_id] != worker:
            raise SessionElsewhere(holders[session_id])

    def _ended(self, session_id: str) -> SessionEnded:
        ending = self._store.sessions.ending(session_id)
        reason = ending.end_reason.value if ending else "unknown"
        return SessionEnded(f"The session ended ({reason}) before this job was done.", end_reason=reason)


def _session_of(job: Job) -> str:
    if job.session_id is None:
        raise InternalError("The job names no session.")
    return job.session_id
