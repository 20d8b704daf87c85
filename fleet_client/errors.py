"""Everything that can go wrong for a program that uses the fleet.

FleetClientError
├── FleetApiError       the API said no, or a job failed: `code` is one of docs/errors.md
│   ├── RequestRefused  as it is, the request cannot be served
│   │   └── NotFound  Unauthorized
│   ├── Unavailable     the fleet cannot do it now; a good time to try again is in `retry_after` seconds
│   ├── PageError       the page, or the site it lies on, made the capture impossible
│   └── FleetFault      the fleet itself failed
├── ConnectionFailed    no answer came
├── StillRunning        the job goes on, but the caller's time is over
├── NotTheApi           an answer came, but not from a fleet's API
└── DamagedDownload     the bytes that came are not those that were stored
"""

from typing import Any

from fleet_client.models import Job

# The codes that a job or an answer of any status may carry. What is not here goes by its status.
_NOT_FOUND = frozenset(
    {
        "artifact_not_found",
        "batch_not_found",
        "job_not_found",
        "not_found",
        "response_not_found",
        "script_not_found",
        "session_ended",
        "session_not_found",
        "webhook_not_found",
        "worker_not_found",
    }
)
_UNAUTHORIZED = frozenset({"admin_key_required", "stream_read_only", "unauthorized", "view_link_invalid"})
_REFUSED = frozenset(
    {
        "batch_conflict",
        "batch_too_large",
        "body_too_large",
        "cross_origin_refused",
        "idempotency_in_progress",
        "idempotency_key_reused",
        "invalid_json",
        "invalid_request",
        "invalid_url",
        "method_not_allowed",
        "not_acceptable",
        "range_not_satisfiable",
        "script_limit_reached",
        "script_syntax_error",
        "script_too_large",
        "sitemap_unusable",
        "unsupported_media_type",
        "upgrade_required",
    }
)
_UNAVAILABLE = frozenset(
    {
        "no_workers",
        "queue_full",
        "rate_limited",
        "session_busy",
        "storage_unavailable",
        "store_unavailable",
        "viewer_limit_reached",
        "worker_full",
    }
)
_FAULTS = frozenset(
    {
        "browser_unavailable",
        "internal_error",
        "job_cancelled",
        "session_restored",
        "worker_lost",
        "worker_stopping",
    }
)


class FleetClientError(Exception):
    """Base of the tree. `str()` of it is a sentence for people."""


class FleetApiError(FleetClientError):
    """`request_id` finds it in the fleet's log. `status`: of the HTTP answer; None: it is the error of a `job`."""

    def __init__(  # noqa: PLR0913  # all that is known of an error
        self,
        code: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        job: Job | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = details or {}
        self.request_id = request_id
        self.retry_after = retry_after
        self.status = status
        self.job = job


class RequestRefused(FleetApiError):
    """As it is, the request cannot be served; sending it again will not help."""


class NotFound(RequestRefused):
    """What the request is about is not there, or not any more."""


class Unauthorized(RequestRefused):
    """The API key is missing or wrong, or its holder may not do this."""


class Unavailable(FleetApiError):
    """The fleet cannot do it now. The client has tried again as long as it was allowed to."""


class PageError(FleetApiError):
    """The page, or the site it lies on, made the capture impossible."""


class FleetFault(FleetApiError):
    """The fleet itself failed."""


class ConnectionFailed(FleetClientError):
    """No answer came."""


class StillRunning(FleetClientError):
    """The job goes on; `job` is how it stood."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"The job {job.id} is still {job.state}; ask for its end with wait_for.")
        self.job = job


class NotTheApi(FleetClientError):
    """An answer came, but not one of a fleet's API: a proxy's page, or another server's."""


class DamagedDownload(FleetClientError):
    """The bytes that came are not those that were stored; nothing was kept of them."""


def error_class(code: str, status: int | None = None) -> type[FleetApiError]:
    """By its code; one that this client does not know, by its status."""
    for cls, codes in _CODES:
        if code in codes:
            return cls
    if status in (429, 503):
        return Unavailable
    if status is not None and status >= 500:
        return FleetFault
    return RequestRefused if status not in (None, 422) else PageError


def error_of_job(job: Job, *, request_id: str | None = None) -> FleetApiError | None:
    """None: it has not failed."""
    if job.error is None:
        return None
    error = job.error
    return error_class(error.code)(error.code, error.message, details=error.details, request_id=request_id, job=job)


_CODES: tuple[tuple[type[FleetApiError], frozenset[str]], ...] = (
    (NotFound, _NOT_FOUND),
    (Unauthorized, _UNAUTHORIZED),
    (RequestRefused, _REFUSED),
    (Unavailable, _UNAVAILABLE),
    (FleetFault, _FAULTS),
)
