"""One job, from its start in this pool child to its recorded outcome; attempts are counted here."""

import random
import time
from collections.abc import Callable

import structlog

from fleet.clock import utc_now
from fleet.errors import FleetError, InternalError, StoreUnavailable, WorkerLost
from fleet.models.job import Job, JobKind, JobState
from fleet.models.manifest import Manifest
from fleet.queues import queue_of
from fleet.store import JOB_SOFT_LIMIT_SECONDS, Store
from fleet.store.throughput import SINGLE_JOBS
from workers.interruptions import RunAgain, SessionElsewhere, WorkerLeaves
from workers.metrics import WorkerCounts
from workers.outcomes import NextStep, Outcome, final_fields, final_state, is_spent, next_step

# Before a job is run again, times the number of its attempts: the host or its Chrome comes back meanwhile.
_AGAIN_SECONDS = 0.5

_log = structlog.get_logger(__name__)

Work = Callable[[Job], Manifest | None]


class JobRunner:
    def __init__(
        self, store: Store, counts: WorkerCounts, *, on_batch_job_end: Callable[[Job], None] = lambda _job: None
    ) -> None:
        """`on_batch_job_end` hears of each job of a batch whose outcome has just been recorded."""
        self._store = store
        self._counts = counts
        self._on_batch_job_end = on_batch_job_end

    def run(
        self,
        accepted: Job | None,
        work: Work,
        *,
        worker: str,
        before_failure: Callable[[Job], None] = lambda _job: None,
    ) -> None:
        """Does nothing if there is nothing to run: cancelled, finished, expired, or tried too often.

        `before_failure` is called before anybody hears that the job has failed. `work` raises FleetError, RunAgain,
        SessionElsewhere. Raises WorkerLeaves or SessionElsewhere, if another worker can run the job; StoreUnavailable,
        if its outcome cannot be recorded.
        """
        if accepted is None or accepted.state.is_final:
            return
        if is_spent(accepted):
            lost = WorkerLost(f"The job's worker process died {accepted.attempts} times; it is not tried again.")
            before_failure(accepted)
            self._record(accepted, lost)
        elif (job := self._start(accepted, worker)) is not None:
            with structlog.contextvars.bound_contextvars(job=job.id, session=job.session_id, request=job.request_id):
                self._finish(job, work, before_failure)

    def _start(self, job: Job, worker: str) -> Job | None:
        """The job, now running here."""
        started = self._store.jobs.move(
            job, JobState.RUNNING, worker=worker, attempts=job.attempts + 1, started_at=utc_now()
        )
        if started is not None and (counted := _counted_as(started)):
            self._store.throughput.count(*counted)
        return started

    def _finish(self, job: Job, work: Work, before_failure: Callable[[Job], None]) -> None:
        started = time.monotonic()
        outcome: Outcome
        try:
            job, outcome = self._run(job, work)
        except (WorkerLeaves, StoreUnavailable, SessionElsewhere):
            raise
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("job failed by a defect")
            outcome = InternalError("The worker failed; its log has the cause under this job's id. Send it again.")
        if isinstance(outcome, FleetError):
            before_failure(job)
        self._record(job, outcome)
        _log.info(
            "job ended",
            kind=job.kind.value,
            attempts=job.attempts,
            code=outcome.code if isinstance(outcome, FleetError) else None,
            cause=outcome.message if isinstance(outcome, FleetError) else None,
            duration_ms=round((time.monotonic() - started) * 1000, 1),
        )

    def _run(self, job: Job, work: Work) -> tuple[Job, Outcome]:
        """Runs it, and again when the host or its Chrome went away under it; the job as it stands after that."""
        deadline = time.monotonic() + JOB_SOFT_LIMIT_SECONDS
        while True:
            try:
                return job, work(job)
            except RunAgain as again:
                match next_step(again, job, seconds_left=deadline - time.monotonic()):
                    case NextStep.LEAVE:
                        self._queue_again(job)
                        raise WorkerLeaves from again.cause
                    case NextStep.FAIL:
                        return job, again.cause
                    case NextStep.AGAIN:
                        job = self._begin_again(job, again.cause)
            except StoreUnavailable:
                raise
            except FleetError as error:
                return job, error

    def _queue_again(self, job: Job) -> None:
        """As if this attempt had not been."""
        self._store.jobs.move(job, JobState.QUEUED, worker=None, started_at=None, attempts=job.attempts - 1)

    def _begin_again(self, job: Job, cause: FleetError) -> Job:
        _log.warning("job is run again", job=job.id, code=cause.code, attempts=job.attempts)
        time.sleep(_AGAIN_SECONDS * job.attempts * random.uniform(0.5, 1))
        self._counts.job_reruns.labels(cause.code).inc()
        return self._store.jobs.move(job, JobState.RUNNING, attempts=job.attempts + 1) or job

    def _record(self, job: Job, outcome: Outcome) -> None:
        ended = self._store.jobs.move(job, final_state(outcome), finished_at=utc_now(), **final_fields(outcome))
        # Of two runners only one has recorded the outcome.
        if ended is not None:
            self._counts.job_ended(ended)
            if ended.batch_id is not None:
                self._on_batch_job_end(ended)


def _counted_as(job: Job) -> list[str]:
    """What moves on as it starts: its queue, unless it waited in a list of its session; single jobs, if it is one."""
    queues: list[str] = [queue_of(job)] if job.session_id is None or job.kind is JobKind.SESSION_CREATE else []
    return queues if job.batch_id else [SINGLE_JOBS, *queues]
