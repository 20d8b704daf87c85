"""What a pool child makes of a job that the store fails for a while."""

from pathlib import Path
from typing import Any

import pytest

from fleet.artifacts.storage import open_storage
from fleet.errors import StoreUnavailable
from fleet.models.capture import OneShotCaptureRequest
from fleet.models.job import Job, JobState
from fleet.models.manifest import PageVisit
from fleet.settings import Settings
from fleet.store import Store
from tests.factories import a_job, a_manifest
from tests.integration.as_worker import WORKER
from workers.job_runner import JobRunner
from workers.link.client import HostClient


class ForgetfulHost(HostClient):
    """Does not reach the store at first, and then captures the page."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self._calls = 0

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        self._calls += 1
        if self._calls == 1:
            raise StoreUnavailable("The store does not answer.")
        visit = PageVisit.model_validate(a_manifest().model_dump(exclude={"artifacts"}))
        output = {"kind": "html", "media_type": "text/html", "content": b"<p>captured"}
        return {"visit": visit.model_dump_json(), "outputs": [output]}


@pytest.fixture
def runner(store: Store, settings: Settings) -> JobRunner:
    storage = open_storage(settings.artifacts_url)
    return JobRunner(store=store, storage=storage, host=ForgetfulHost(), artifact_ttl_seconds=60)


def kept(store: Store) -> Job:
    """A capture that waits to be run."""
    job = a_job()
    request = OneShotCaptureRequest.model_validate({"url": "http://a.example/"})
    store.jobs.create(job, request.model_dump_json(exclude_unset=True))
    return job


def test_a_job_that_the_store_failed_is_run_again_as_its_message_comes_back(store: Store, runner: JobRunner) -> None:
    job = kept(store)
    with pytest.raises(StoreUnavailable):
        runner.run_capture(job.id, worker=WORKER, redelivered=False)
    runner.run_capture(job.id, worker=WORKER, redelivered=True)
    again = store.jobs.get(job.id)
    assert again is not None
    assert (again.state, again.attempts) == (JobState.SUCCEEDED, 2), again.error
