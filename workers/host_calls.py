"""What a pool child asks of its browser host for a job."""

from typing import Any

from fleet.errors import BrowserUnavailable, InternalError, WorkerStopping
from fleet.models.capture import CaptureRequest
from fleet.models.job import Job
from fleet.models.waits import CAPTURE_TIMEOUT_MAX
from fleet.store.jobs import JobStore
from workers.interruptions import RunAgain
from workers.link.client import HostClient

SESSION_OPEN_SECONDS = 60
# The host keeps the capture's timeout; closing its context may take a little longer.
_CLOSING_MARGIN_SECONDS = 10


def ask(
    host: HostClient, command: str, params: dict[str, Any], *, seconds: float, repeatable: bool = True
) -> dict[str, Any]:
    """Raises RunAgain instead of BrowserUnavailable and WorkerStopping, if the job may be run a second time."""
    try:
        return host.call(command, params, timeout_seconds=seconds)
    except (BrowserUnavailable, WorkerStopping) as error:
        if repeatable:
            raise RunAgain(error, seconds) from error
        raise


def request_of(job: Job, jobs: JobStore) -> str:
    """As JSON. Raises InternalError."""
    body = jobs.request(job.id)
    if body is None:
        raise InternalError("What the job was asked to do is no longer known. Send it again.")
    return body


def allowance(request: CaptureRequest) -> float:
    """Seconds that the host may take for a capture."""
    return min(request.timeout, CAPTURE_TIMEOUT_MAX) / 1000 + _CLOSING_MARGIN_SECONDS
