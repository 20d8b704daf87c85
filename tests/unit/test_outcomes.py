"""What becomes of a job whose host went away, and as what it ends."""

import pytest

from fleet.errors import BrowserUnavailable, CaptureTimeout, FleetError, JobCancelled, WorkerStopping
from fleet.models.job import JobState
from tests.factories import a_job, a_manifest
from workers.interruptions import RunAgain
from workers.outcomes import NextStep, Outcome, final_state, next_step

GONE = BrowserUnavailable("Chrome died.")
STOPS = WorkerStopping("This worker stops.")


@pytest.mark.parametrize(
    ("cause", "attempts", "seconds_left", "expected"),
    [
        (GONE, 1, 100, NextStep.AGAIN),
        (GONE, 2, 30, NextStep.AGAIN),
        (GONE, 3, 100, NextStep.FAIL),
        (GONE, 1, 29, NextStep.FAIL),
        # Its attempt does not count, so that it may be the last.
        (STOPS, 1, 100, NextStep.LEAVE),
        (STOPS, 3, 0, NextStep.LEAVE),
    ],
)
def test_a_job_is_tried_three_times_at_most_while_there_is_time_and_left_by_a_worker_that_stops(
    cause: FleetError, attempts: int, seconds_left: float, expected: NextStep
) -> None:
    again = RunAgain(cause, needs_seconds=30)
    assert next_step(again, a_job(attempts=attempts), seconds_left=seconds_left) is expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (a_manifest(), JobState.SUCCEEDED),
        (None, JobState.SUCCEEDED),
        (CaptureTimeout("It took too long."), JobState.FAILED),
        (JobCancelled("It was cancelled."), JobState.CANCELLED),
    ],
)
def test_a_job_ends_as_its_outcome_says(outcome: Outcome, expected: JobState) -> None:
    assert final_state(outcome) is expected
