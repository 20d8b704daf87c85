"""Who gets what: the services of one API process, made once."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from app.job_waiter import JobWaiter
from app.services.artifacts import ArtifactService
from app.services.captures import CaptureService
from app.services.health import HealthService
from app.services.idempotency import IdempotencyService
from app.services.jobs import JobService
from app.services.new_scripts import ScriptLimits
from app.services.scripts import ScriptService
from app.services.sessions import SessionDefaults, SessionService
from app.services.shared_queue import SharedQueueService
from app.task_queue import TaskQueue
from fleet.artifacts.storage import ArtifactStorage
from fleet.settings import Settings
from fleet.store import Store

EXTENSION = "fleet"
# Threads that never wait for a job, so that health checks and short requests are answered at once.
_SPARE_THREADS = 32


@dataclass(frozen=True)
class Services:
    sessions: SessionService
    scripts: ScriptService
    captures: CaptureService
    jobs: JobService
    artifacts: ArtifactService
    health: HealthService
    idempotency: IdempotencyService
    waiter: JobWaiter


def make_services(settings: Settings, *, store: Store, queue: TaskQueue, storage: ArtifactStorage) -> Services:
    defaults = SessionDefaults(ttl=settings.session_ttl, max_lifetime=settings.session_max_lifetime)
    shared = SharedQueueService(store)
    script_limits = ScriptLimits(count=settings.script_limit, bytes=settings.script_bytes)
    sessions = SessionService(store, queue, shared, defaults, script_limits)
    waiter = JobWaiter(store.client, places=max(1, settings.api_threads - _SPARE_THREADS))
    return Services(
        sessions=sessions,
        scripts=ScriptService(store.scripts, sessions, script_limits),
        captures=CaptureService(queue, shared, sessions),
        jobs=JobService(store, waiter, sessions),
        artifacts=ArtifactService(store, storage),
        health=HealthService(store),
        idempotency=IdempotencyService(store.idempotency),
        waiter=waiter,
    )


def services() -> Services:
    """The services of the application that serves the current request."""
    return cast("Services", current_app.extensions[EXTENSION])
