"""What was accepted is in its record: a job whose message was never sent, or was lost, runs all the same."""

from datetime import timedelta

from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.capture import OneShotCaptureRequest
from fleet.models.job import Job, JobKind, JobState
from fleet.queues import CAPTURES_QUEUE, SESSIONS_QUEUE, SharedQueue
from tests.factories import a_job
from tests.integration.worker.running_fleet import RunningFleet
from tests.pages.server import PagesServer
from tests.polling import eventually

# Beyond the time that a message may take, and a look.
_SECONDS = 60


def accept(fleet: RunningFleet, job: Job, request: str, queue: SharedQueue) -> None:
    """As the API does, which is killed before it sends the message."""
    fleet.store.jobs.create(job, request)
    assert fleet.store.waiting.try_join(queue, job.id, utc_now() - timedelta(minutes=2))


def test_a_capture_without_a_message_runs(own_fleet: RunningFleet, pages: PagesServer) -> None:
    job = a_job()
    request = OneShotCaptureRequest.model_validate({"url": f"{pages.url}/plain"})
    accept(own_fleet, job, request.model_dump_json(exclude_unset=True), CAPTURES_QUEUE)
    assert own_fleet.end_of(job.id).state is JobState.SUCCEEDED


def test_a_creation_without_a_message_runs(own_fleet: RunningFleet) -> None:
    session_id = new_id("ses")
    job = a_job(kind=JobKind.SESSION_CREATE, session_id=session_id)
    own_fleet.store.sessions.create(session_id, ttl=60, max_lifetime=600, metadata={}, options_json="{}", job_id=job.id)
    accept(own_fleet, job, "{}", SESSIONS_QUEUE)
    assert own_fleet.end_of(job.id).state is JobState.SUCCEEDED


def test_a_place_in_the_queue_that_outlived_its_job_is_given_up(own_fleet: RunningFleet) -> None:
    waiting = own_fleet.store.waiting
    assert waiting.try_join(CAPTURES_QUEUE, new_id("job"), utc_now() - timedelta(minutes=2))
    eventually(lambda: waiting.length(CAPTURES_QUEUE) == 0, seconds=_SECONDS)
