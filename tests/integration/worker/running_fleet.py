"""A fleet of one worker, asked through the API's services, without HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.metrics import ApiCounts
from app.task_queue import CeleryTaskQueue
from app.wiring import make_services
from fleet.artifacts.storage import open_storage
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.job import Job, JobState
from fleet.models.session import SessionRequest
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.worker.worker import Worker
from tests.polling import eventually

_REQUEST_ID = "req-test"
WEBHOOK_SECRET = "a secret of webhooks"  # of tests
HTML_OUTPUT = {"kind": "html"}
# What a job may take here at most, with a machine that is busy.
_JOB_SECONDS = 60


class RunningFleet:
    def __init__(self, settings: Settings, store: Store, worker: Worker) -> None:
        self.settings = settings
        self.worker = worker
        self.store = store
        storage = open_storage(settings.artifacts_url)
        queue = CeleryTaskQueue(settings.redis_url)
        self.services = make_services(settings, store=store, queue=queue, storage=storage, counts=ApiCounts())

    def capture(self, url: str | None = None, **request: Any) -> str:
        """The id of the accepted job; `request`: more fields of the body."""
        body = OneShotCaptureRequest.model_validate({"url": url, **request})
        return self.services.captures.capture(body, _REQUEST_ID).job.id

    def create_session(self, **request: Any) -> tuple[str, str]:
        """The ids of the session and of the job that creates it."""
        job = self.services.sessions.create(SessionRequest.model_validate(request), _REQUEST_ID).job
        assert job.session_id is not None
        return job.session_id, job.id

    def session(self, **request: Any) -> str:
        """The id of a session that runs."""
        session_id, job_id = self.create_session(**request)
        assert self.end_of(job_id).state is JobState.SUCCEEDED
        return session_id

    def capture_in(self, session_id: str, url: str | None = None, **request: Any) -> str:
        body = CaptureRequest.model_validate({"url": url, **request})
        return self.services.captures.capture_in_session(session_id, body, _REQUEST_ID).job.id

    def add_script(self, session_id: str, source: str) -> str:
        return self.services.scripts.add(session_id, source).id

    def delete(self, session_id: str) -> str:
        return self.services.sessions.delete(session_id, _REQUEST_ID).job.id

    def job(self, job_id: str) -> Job:
        return self.services.jobs.get(job_id)

    def runs(self, job_id: str) -> bool:
        return self.job(job_id).state is JobState.RUNNING

    def end_of(self, job_id: str) -> Job:
        """The job once it has ended."""
        eventually(lambda: self.job(job_id).is_finished, seconds=_JOB_SECONDS)
        return self.job(job_id)

    def artifacts_of(self, job_id: str) -> list[bytes]:
        result = self.end_of(job_id).result
        assert result is not None, self.job(job_id).error
        return [self.content(artifact.id) for artifact in result.artifacts]

    def html_of(self, job_id: str) -> str:
        (content,) = self.artifacts_of(job_id)
        return content.decode()

    def content(self, artifact_id: str) -> bytes:
        _, stream = self.services.artifacts.open(artifact_id)
        with stream:
            return stream.read()


@contextmanager
def running_fleet(redis_url: str, folder: Path) -> Iterator[RunningFleet]:
    # Room for the sessions that all tests of the folder leave behind.
    settings = Settings(
        redis_url=redis_url,
        artifacts_url=f"file:{folder / 'artifacts'}",
        session_rate="1000/minute",
        sessions_per_worker=100,
        memory_limit_mb=16_384,
        webhook_secrets=SecretStr(WEBHOOK_SECRET),
    )
    # As patient with Redis as a worker is.
    store = open_store(settings, retries=14)
    with Worker(settings, store, folder) as worker:
        running = RunningFleet(settings, store, worker)
        yield running
        if running.services.waiter._started:
            running.services.waiter._notifications.stop()
    store.client.close()
