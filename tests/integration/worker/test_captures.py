"""Many captures at once through one worker."""

from hashlib import sha256

import pytest

from fleet.models.job import Job, JobState
from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet

CAPTURES = 50
CHILDREN = 4


@pytest.fixture(scope="module")
def many(fleet: RunningFleet) -> list[Job]:
    """Fifty captures, accepted one after the other, all ended."""
    job_ids = [fleet.capture(html=f"<p>Page {number}", outputs=[HTML_OUTPUT]) for number in range(CAPTURES)]
    return [fleet.end_of(job_id) for job_id in job_ids]


def test_all_captures_succeed(many: list[Job]) -> None:
    assert [job.state for job in many] == [JobState.SUCCEEDED] * CAPTURES


def test_captures_start_in_the_order_of_arrival(many: list[Job]) -> None:
    started = [job.started_at for job in many if job.started_at]
    later = range(CHILDREN, CAPTURES)
    assert len(started) == CAPTURES
    assert [number for number in later if started[number] < started[number - CHILDREN]] == []


def test_each_capture_has_its_own_page(fleet: RunningFleet, many: list[Job]) -> None:
    pages = [fleet.html_of(job.id) for job in many]
    assert [f"<p>Page {number}</p>" in page for number, page in enumerate(pages)] == [True] * CAPTURES


def test_the_manifest_tells_length_and_hash_of_each_artifact(fleet: RunningFleet, many: list[Job]) -> None:
    for job in many:
        assert job.result is not None
        (artifact,), (content,) = job.result.artifacts, fleet.artifacts_of(job.id)
        assert (artifact.bytes, artifact.sha256) == (len(content), sha256(content).hexdigest())


def test_a_capture_names_its_worker_and_its_one_attempt(fleet: RunningFleet, many: list[Job]) -> None:
    assert {(job.worker, job.attempts) for job in many} == {(fleet.worker.name, 1)}
