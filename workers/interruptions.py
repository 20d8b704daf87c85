"""What ends a pool child's work on a message without an outcome of its job."""

from fleet.errors import FleetError


class NoRoom(Exception):
    """This worker may take no session now: the message belongs back in its queue."""


class WorkerLeaves(Exception):
    """This worker stops; the job is queued again, and what the worker has in hand will be handed over."""


class SessionElsewhere(Exception):
    """The session has moved under its job, which stays at the head of its list; `worker` has it now, if one has."""

    def __init__(self, worker: str | None) -> None:
        super().__init__(worker)
        self.worker = worker


class RunAgain(Exception):
    """The host or its Chrome went away under a job that can be run a second time; the cause is a FleetError."""

    def __init__(self, cause: FleetError, needs_seconds: float) -> None:
        super().__init__(cause)
        self.cause = cause
        self.needs_seconds = needs_seconds
