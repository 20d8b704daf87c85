"""Sessions: created and deleted by jobs, read from the store."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from app.services.accepted import Accepted, new_job
from app.services.new_scripts import ScriptLimits, new_scripts
from app.services.shared_queue import SharedQueueService
from app.services.webhooks import WebhookService
from app.task_queue import TaskQueue
from fleet.errors import FleetError, SessionEnded, SessionNotFound, StoreUnavailable
from fleet.ids import is_id, new_id
from fleet.models.job import Job, JobKind
from fleet.models.script import Script
from fleet.models.session import EndReason, Session, SessionPatch, SessionRequest
from fleet.models.webhook import WebhookEvent
from fleet.queues import SESSIONS_QUEUE
from fleet.store import Store
from fleet.store.index import Cursor, Page


@dataclass(frozen=True)
class SessionRules:
    """`ttl`, `max_lifetime`: seconds, for requests that name none. `waiting_jobs`: of one session at a time."""

    ttl: int
    max_lifetime: int
    waiting_jobs: int


class SessionService:
    def __init__(  # noqa: PLR0913  # its collaborators, all by name
        self,
        store: Store,
        queue: TaskQueue,
        shared: SharedQueueService,
        webhooks: WebhookService,
        *,
        rules: SessionRules,
        script_limits: ScriptLimits,
    ) -> None:
        self._store = store
        self._queue = queue
        self._shared = shared
        self._webhooks = webhooks
        self._rules = rules
        self._script_limits = script_limits

    def create(self, request: SessionRequest, request_id: str, *, admit: Callable[[], None] = lambda: None) -> Accepted:
        """Raises InvalidRequest, NoWorkers, QueueFull, StoreUnavailable, or what is wrong with a script.

        Then nothing will run. `admit` is called once the request is known to be a good one, and may raise too.
        """
        scripts = new_scripts(request.scripts, self._script_limits)
        self._webhooks.check(request.webhook_url)
        admit()
        session_id = new_id("ses")
        self._webhooks.expect(WebhookEvent.SESSION_ENDED, session_id, request.webhook_url)
        job = new_job(JobKind.SESSION_CREATE, request_id, session_id)

        def send() -> None:
            self._keep(session_id, request, scripts, job.id)
            self._queue.send_session_creation(session_id, job)

        try:
            accepted = self._shared.accept(SESSIONS_QUEUE, job, "{}", send)
        except StoreUnavailable:
            with contextlib.suppress(StoreUnavailable):
                self.abandon(session_id)
            raise
        return Accepted(accepted.job, self.get(session_id))

    def _keep(self, session_id: str, request: SessionRequest, scripts: list[Script], job_id: str) -> None:
        self._store.sessions.create(
            session_id,
            ttl=request.ttl or self._rules.ttl,
            max_lifetime=request.max_lifetime or self._rules.max_lifetime,
            metadata=request.metadata,
            options_json=request.model_dump_json(exclude_unset=True, exclude={"scripts", "webhook_url"}),
            job_id=job_id,
            scripts=scripts,
        )

    def get(self, session_id: str) -> Session:
        """Raises SessionNotFound or SessionEnded."""
        session = self._store.sessions.get(session_id) if is_id(session_id, "ses") else None
        if session is None:
            raise self.gone(session_id)
        return session

    def patch(self, session_id: str, patch: SessionPatch) -> Session:
        """A use of the session, whatever it changes. Raises SessionNotFound or SessionEnded."""
        metadata = None if patch.metadata is None else json.dumps(patch.metadata)
        if not is_id(session_id, "ses") or not self._store.sessions.use(session_id, ttl=patch.ttl, metadata=metadata):
            raise self.gone(session_id)
        return self.get(session_id)

    def use(self, session_id: str) -> None:
        """Renews it, if it is there. Raises SessionNotFound or SessionEnded."""
        if not is_id(session_id, "ses") or not self._store.sessions.use(session_id):
            raise self.gone(session_id)

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Session]:
        return self._store.sessions.newest(limit=limit, cursor=cursor)

    def delete(self, session_id: str, request_id: str) -> Accepted:
        """Behind the jobs that were accepted before. Raises SessionNotFound, SessionEnded or StoreUnavailable."""
        job = new_job(JobKind.SESSION_DELETE, request_id, session_id)
        return self.accept_job(job, "{}")

    def accept_job(self, job: Job, request_json: str) -> Accepted:
        """Appends the job to its session's list; accepting it renews the session in the same step."""
        session_id = job.session_id or ""
        self.get(session_id)
        self._store.jobs.create(job, request_json)
        try:
            self._append(session_id, job)
        except FleetError:
            self._store.session_jobs.try_remove(session_id, job.id)
            self._store.jobs.try_discard(job.id)
            raise
        return Accepted(job.evolve(position=self._store.session_jobs.position(session_id, job.id)))

    def _append(self, session_id: str, job: Job) -> None:
        # An end is always accepted: it is the way out of a session that is stuck.
        limit = 0 if job.kind is JobKind.SESSION_DELETE else self._rules.waiting_jobs
        found = self._store.sessions.add_job(session_id, job.id, waiting_limit=limit)
        if found is None:
            raise self.gone(session_id)
        _, worker = found
        # Without a worker the session is still being created; the end of that job wakes the next.
        if worker is not None:
            self._queue.send_session_job(session_id, worker, job)

    def abandon(self, session_id: str) -> None:
        """Its creation was cancelled or refused before it began."""
        self._store.sessions.end(session_id, EndReason.DELETED)

    def gone(self, session_id: str) -> SessionNotFound | SessionEnded:
        """Why there is no such session any more."""
        ending = self._store.sessions.ending(session_id) if is_id(session_id, "ses") else None
        if ending is None:
            return SessionNotFound(f"There is no session '{session_id[:64]}'. Create one with POST /api/sessions.")
        when = ending.ended_at.isoformat(timespec="seconds")
        reason = ending.end_reason.value
        message = f"The session ended at {when} ({reason}). Create a new one with POST /api/sessions."
        return SessionEnded(message, end_reason=reason, ended_at=when)
