"""What becomes of a job, decided from what its run came to; workers/job_runner.py does it."""

from enum import Enum, auto
from typing import Any

from fleet.errors import FleetError, JobCancelled, WorkerStopping
from fleet.models.job import Job, JobError, JobState
from fleet.models.manifest import Manifest
from workers.interruptions import RunAgain

# A job that has taken this many processes with it is at fault itself.
_ATTEMPTS_MAX = 3

# None: it has succeeded, and there is nothing to tell.
Outcome = Manifest | FleetError | None


class NextStep(Enum):
    """Of a job whose host went away: it is run again here, left to another worker, or has failed."""

    AGAIN = auto()
    LEAVE = auto()
    FAIL = auto()


def is_spent(job: Job) -> bool:
    """It is not tried once more."""
    return job.attempts >= _ATTEMPTS_MAX


def next_step(again: RunAgain, job: Job, *, seconds_left: float) -> NextStep:
    """`seconds_left`: to the job, in this process."""
    if isinstance(again.cause, WorkerStopping):
        return NextStep.LEAVE
    return NextStep.FAIL if is_spent(job) or again.needs_seconds > seconds_left else NextStep.AGAIN


def final_state(outcome: Outcome) -> JobState:
    if isinstance(outcome, FleetError):
        return JobState.CANCELLED if isinstance(outcome, JobCancelled) else JobState.FAILED
    return JobState.SUCCEEDED


def final_fields(outcome: Outcome) -> dict[str, Any]:
    """Of the job's record."""
    if isinstance(outcome, FleetError):
        return {"error": JobError(code=outcome.code, message=outcome.message, details=outcome.details)}
    return {"result": outcome}
