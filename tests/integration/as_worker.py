"""What a worker does to the records in the store, without a worker."""

from datetime import timedelta
from typing import Any

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.models.artifact import Artifact, StoredArtifact
from fleet.models.job import Job, JobError, JobState
from fleet.store import Store
from tests.factories import an_artifact

WORKER = "fleet@test"


def start(store: Store, job_id: str) -> Job:
    """The job, taken out of its queue and running."""
    job = store.jobs.get(job_id)
    assert job is not None
    running = store.jobs.move(job, JobState.RUNNING, worker=WORKER, attempts=job.attempts + 1, started_at=utc_now())
    assert running is not None
    return running


def succeed(store: Store, job_id: str, **changes: Any) -> Job:
    return _end(store, job_id, JobState.SUCCEEDED, **changes)


def fail(store: Store, job_id: str, code: str, message: str = "what failed", **details: Any) -> Job:
    return _end(store, job_id, JobState.FAILED, error=JobError(code=code, message=message, details=details))


def _end(store: Store, job_id: str, state: JobState, **changes: Any) -> Job:
    job = store.jobs.get(job_id)
    assert job is not None
    running = job if job.state is JobState.RUNNING else start(store, job_id)
    ended = store.jobs.move(running, state, finished_at=utc_now(), **changes)
    assert ended is not None
    return ended


def open_session(store: Store, session_id: str, job_id: str) -> None:
    """The session, created by its job and held by WORKER."""
    assert store.session_jobs.claim(session_id, "runner") == job_id
    assert store.session_moves.start(session_id, WORKER)
    assert store.sessions.renew(session_id)
    succeed(store, job_id)
    store.session_jobs.release(session_id, "runner", job_id)


def keep_artifact(store: Store, storage: ArtifactStorage, content: bytes, **changes: Any) -> Artifact:
    artifact = an_artifact(content, **changes)
    location = storage.put(
        content,
        sha256=artifact.sha256,
        media_type=artifact.media_type,
        expires_at=utc_now() + timedelta(days=1),
    )
    store.artifacts.put(StoredArtifact(artifact=artifact, location=location))
    return artifact
