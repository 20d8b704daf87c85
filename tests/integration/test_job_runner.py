"""What a pool child makes of a job whose store fails, or whose message comes a second time."""

from datetime import timedelta
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
from tests.factories import a_job, a_manifest, a_worker_report
from tests.integration.as_worker import WORKER, start
from workers.job_runner import JobRunner
from workers.link.client import HostClient


class CapturingHost(HostClient):
    """Has captured the page, whatever it is; before that it does not reach the store, so many times."""

    def __init__(self, *, failures: int = 0) -> None:
        super().__init__(Path("/nowhere"))
        self._failures = failures

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("The store does not answer.")
        visit = PageVisit.model_validate(a_manifest().model_dump(exclude={"artifacts"}))
        output = {"kind": "html", "media_type": "text/html", "content": b"<p>captured"}
        return {"visit": visit.model_dump_json(), "outputs": [output]}


def a_runner(store: Store, settings: Settings, *, failures: int = 0) -> JobRunner:
    storage = open_storage(settings.artifacts_url)
    return JobRunner(store=store, storage=storage, host=CapturingHost(failures=failures), artifact_ttl_seconds=60)


def kept(store: Store) -> Job:
    """A capture that waits to be run."""
    job = a_job()
    request = OneShotCaptureRequest.model_validate({"url": "http://a.example/"})
    store.jobs.create(job, request.model_dump_json(exclude_unset=True))
    return job


def test_a_job_that_the_store_failed_is_run_again_as_its_message_comes_back(store: Store, settings: Settings) -> None:
    job, runner = kept(store), a_runner(store, settings, failures=1)
    with pytest.raises(StoreUnavailable):
        runner.run_capture(job.id, worker=WORKER, redelivered=False)
    runner.run_capture(job.id, worker=WORKER, redelivered=True)
    again = store.jobs.get(job.id)
    assert again is not None
    assert (again.state, again.attempts) == (JobState.SUCCEEDED, 2), again.error


@pytest.mark.parametrize(
    ("life_began_seconds_before", "state"),
    # A worker that stood still goes on with the job; one that was started anew since then does not.
    [(60, JobState.RUNNING), (-1, JobState.SUCCEEDED)],
)
def test_a_message_that_was_sent_again_is_left_to_the_life_of_a_worker_that_runs_it(
    store: Store, settings: Settings, life_began_seconds_before: float, state: JobState
) -> None:
    job = start(store, kept(store).id)
    assert job.started_at is not None
    began = job.started_at - timedelta(seconds=life_began_seconds_before)
    store.workers.renew(a_worker_report(name=WORKER, started_at=began))
    a_runner(store, settings).run_capture(job.id, worker="fleet@other", redelivered=False)
    now = store.jobs.get(job.id)
    assert now is not None
    assert now.state is state
