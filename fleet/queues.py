"""Names of the Celery queues and tasks: the API sends by name, the workers register under them."""

from typing import Final, Literal

from fleet.models.job import Job, JobKind

# Pulled by every worker with a free slot: creations of sessions, and sessions that nobody holds any more.
SESSIONS_QUEUE: Final = "sessions"
# Pulled by every worker: captures without a session.
CAPTURES_QUEUE: Final = "captures"

# Pulled by every worker: captures of batches, which come a few at a time. Workers take from all queues in turn.
BATCHES_QUEUE: Final = "batches"

SharedQueue = Literal["sessions", "captures", "batches"]
SHARED_QUEUES: Final[tuple[SharedQueue, ...]] = (SESSIONS_QUEUE, CAPTURES_QUEUE, BATCHES_QUEUE)
CAPTURE_QUEUES: Final[tuple[SharedQueue, ...]] = (CAPTURES_QUEUE, BATCHES_QUEUE)


def capture_queue(batch_id: str | None) -> SharedQueue:
    """Where a capture without a session waits."""
    return BATCHES_QUEUE if batch_id else CAPTURES_QUEUE


def queue_of(job: Job) -> SharedQueue:
    """In which the job waits, unless its session has it wait in its own list."""
    return SESSIONS_QUEUE if job.kind is JobKind.SESSION_CREATE else capture_queue(job.batch_id)


def queue_for_all(queue: str) -> SharedQueue:
    """The shared queue for a message that came from `queue`: a worker's own is of no use to others."""
    return next((shared for shared in CAPTURE_QUEUES if shared == queue), SESSIONS_QUEUE)


# Its one argument is a job id.
RUN_CAPTURE = "fleet.run_capture"
# Its one argument is a session id; it runs the head of that session's list of jobs.
RUN_SESSION_JOB = "fleet.run_session_job"
# Its one argument is the id of a session that nobody holds.
RESTORE_SESSION = "fleet.restore_session"
