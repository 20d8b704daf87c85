"""All that is kept in Redis, by noun. fleet/keys.py has the catalogue."""

from dataclasses import dataclass

from fleet.models.capture import CAPTURE_TIMEOUT_MAX
from fleet.settings import Settings
from fleet.store.artifacts import ArtifactRecordStore
from fleet.store.connection import RedisClient, connect
from fleet.store.idempotency import IdempotencyStore
from fleet.store.jobs import JobStore
from fleet.store.scripts import ScriptStore
from fleet.store.session_jobs import SessionJobStore
from fleet.store.sessions import SessionStore
from fleet.store.waiting import WaitingStore
from fleet.store.workers import WorkerStore

# The longest job, its artifacts stored and recorded; then its process is killed.
JOB_HARD_LIMIT_SECONDS = CAPTURE_TIMEOUT_MAX // 1000 + 60


@dataclass(frozen=True)
class Store:
    client: RedisClient
    jobs: JobStore
    sessions: SessionStore
    session_jobs: SessionJobStore
    scripts: ScriptStore
    waiting: WaitingStore
    artifacts: ArtifactRecordStore
    idempotency: IdempotencyStore
    workers: WorkerStore


def open_store(settings: Settings, *, retries: int) -> Store:
    """Connects at the first command. `retries`: see fleet.store.connection.connect."""
    client = connect(settings.redis_url, retries=retries)
    sessions = SessionStore(client)
    return Store(
        client=client,
        jobs=JobStore(client, ttl_seconds=settings.job_ttl),
        sessions=sessions,
        session_jobs=SessionJobStore(client, lock_seconds=JOB_HARD_LIMIT_SECONDS + 30),
        scripts=ScriptStore(client, sessions, limit=settings.script_limit),
        waiting=WaitingStore(client, limit=settings.queue_limit, job_ttl_seconds=settings.job_ttl),
        artifacts=ArtifactRecordStore(client, ttl_seconds=settings.artifact_ttl),
        idempotency=IdempotencyStore(client),
        workers=WorkerStore(client),
    )
