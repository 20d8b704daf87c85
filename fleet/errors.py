"""Every failure the product can name: one closed list of codes, documented in docs/errors.md.

FleetError
├── RequestError            the request cannot be served as it is; sending it again will not help
│   ├── InvalidRequest  InvalidJson  InvalidUrl  BodyTooLarge  UnsupportedMediaType  NotAcceptable
│   ├── Unauthorized  AdminKeyRequired  CrossOriginRefused
│   ├── IdempotencyKeyReused  IdempotencyInProgress
│   ├── RangeNotSatisfiable
│   ├── ScriptTooLarge  ScriptLimitReached  ScriptSyntaxError  ScriptNotFound
│   ├── BatchTooLarge  BatchNotFound  BatchConflict  SitemapUnusable  WebhookNotFound
│   └── RouteNotFound  MethodNotAllowed  SessionNotFound  SessionEnded  JobNotFound  ArtifactNotFound
│       ResponseNotFound  WorkerNotFound  ViewLinkInvalid  StreamReadOnly  UpgradeRequired
├── Unavailable             the fleet cannot do it now; try again after `retry_after` seconds
│   └── StoreUnavailable  StorageUnavailable  NoWorkers  QueueFull  SessionBusy  RateLimited  WorkerFull
│       ViewerLimitReached
├── PageError               the page, or the site it lies on, made the capture impossible
│   ├── EgressBlocked  NameNotResolved  ConnectionRefused  ConnectionFailed  TlsError  TooManyRedirects
│   ├── NavigationTimeout  NavigationFailed  DownloadStarted  PageCrashed
│   ├── ActionFailed
│   ├── OutOfMemory  PageUnresponsive
│   └── WaitTimeout  SelectorNotFound  CaptureTimeout  CaptureFailed  OutputTooLarge
└── FleetFault              the fleet itself failed the job; the job may be sent again
    └── BrowserUnavailable  WorkerStopping  WorkerLost  SessionRestored  JobCancelled  InternalError
"""

from collections.abc import Iterator
from typing import Any, ClassVar


class FleetError(Exception):
    """Base of the tree. `message` is for the client: what failed and what to do."""

    code: ClassVar[str]
    # Whether the same request may well succeed later; docs/errors.md says how much later.
    worth_another_try: ClassVar[bool] = False

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class RequestError(FleetError):
    """The request cannot be served as it is."""


class InvalidRequest(RequestError):
    """A field is unknown, of the wrong type, out of range, or contradicts another one."""

    code = "invalid_request"


class InvalidJson(RequestError):
    """The body is not a JSON object."""

    code = "invalid_json"


class InvalidUrl(RequestError):
    """The URL is not one that the fleet opens."""

    code = "invalid_url"


class BodyTooLarge(RequestError):
    """The request body is larger than the API takes."""

    code = "body_too_large"


class UnsupportedMediaType(RequestError):
    """The request body is not declared as JSON."""

    code = "unsupported_media_type"


class NotAcceptable(RequestError):
    """The capture has no output of the type that `Accept` asks for."""

    code = "not_acceptable"


class Unauthorized(RequestError):
    """The request carries no API key, or one that is none of this fleet's."""

    code = "unauthorized"


class AdminKeyRequired(RequestError):
    """Only the holder of an API key that is marked `:admin` may do it."""

    code = "admin_key_required"


class CrossOriginRefused(RequestError):
    """A page of another site made a browser send the request."""

    code = "cross_origin_refused"


class RangeNotSatisfiable(RequestError):
    """The range lies beyond the end of the artifact."""

    code = "range_not_satisfiable"


class IdempotencyKeyReused(RequestError):
    """The `Idempotency-Key` was used for another request."""

    code = "idempotency_key_reused"


class IdempotencyInProgress(RequestError):
    """The first request with this `Idempotency-Key` has not been accepted yet."""

    code = "idempotency_in_progress"
    worth_another_try = True


class RouteNotFound(RequestError):
    """No such path."""

    code = "not_found"


class MethodNotAllowed(RequestError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"


class SessionNotFound(RequestError):
    """No session has this id."""

    code = "session_not_found"


class SessionEnded(RequestError):
    """The session existed and has ended; `details.end_reason` says why."""

    code = "session_ended"


class JobNotFound(RequestError):
    """No job has this id, or its record has expired."""

    code = "job_not_found"


class ArtifactNotFound(RequestError):
    """No artifact has this id, or it has expired."""

    code = "artifact_not_found"


class ResponseNotFound(RequestError):
    """The session has no such captured response (any more), or none of its body."""

    code = "response_not_found"


class BatchTooLarge(RequestError):
    """The batch has more items, or one of its lines more bytes, than a batch may have."""

    code = "batch_too_large"


class BatchNotFound(RequestError):
    """No batch has this id, or it has expired."""

    code = "batch_not_found"


class BatchConflict(RequestError):
    """The batch is in a state in which this cannot be done; `details.state` names it."""

    code = "batch_conflict"


class SitemapUnusable(RequestError):
    """The sitemap cannot be fetched or read, or lists no page."""

    code = "sitemap_unusable"


class WebhookNotFound(RequestError):
    """No webhook has this id, or its record has expired."""

    code = "webhook_not_found"


class WorkerNotFound(RequestError):
    """No worker of this name is alive."""

    code = "worker_not_found"


class ViewLinkInvalid(RequestError):
    """The view link is forged, has expired, or is another session's."""

    code = "view_link_invalid"


class StreamReadOnly(RequestError):
    """The stream was opened to watch, so its session takes no input from it."""

    code = "stream_read_only"


class UpgradeRequired(RequestError):
    """The path is a WebSocket, and the request does not ask for one."""

    code = "upgrade_required"


class ScriptTooLarge(RequestError):
    """The script has more bytes than `FLEET_SCRIPT_BYTES` allows."""

    code = "script_too_large"


class ScriptLimitReached(RequestError):
    """The session has as many scripts as `FLEET_SCRIPT_LIMIT` allows."""

    code = "script_limit_reached"


class ScriptSyntaxError(RequestError):
    """The script is not valid JavaScript; `details.line` and `details.column` say where, if that is known."""

    code = "script_syntax_error"


class ScriptNotFound(RequestError):
    """The session has no script of this id."""

    code = "script_not_found"


class Unavailable(FleetError):
    """The fleet cannot do it now."""

    worth_another_try = True

    def __init__(self, message: str, *, retry_after: int = 2, **details: Any) -> None:
        """`retry_after`: whole seconds after which a new try is sensible."""
        # Among the details, so that it travels with the error to other processes and job records.
        super().__init__(message, retry_after=retry_after, **details)
        self.retry_after = retry_after


class StoreUnavailable(Unavailable):
    """Redis does not answer."""

    code = "store_unavailable"


class StorageUnavailable(Unavailable):
    """The artifact storage does not take or give bytes."""

    code = "storage_unavailable"


class NoWorkers(Unavailable):
    """No live worker can take the job."""

    code = "no_workers"


class QueueFull(Unavailable):
    """As many jobs wait as `FLEET_QUEUE_LIMIT` allows."""

    code = "queue_full"


class SessionBusy(Unavailable):
    """Too many jobs of the session wait (`FLEET_SESSION_JOB_LIMIT`), or they kept it from answering in time."""

    code = "session_busy"


class RateLimited(Unavailable):
    """More sessions were asked for than `FLEET_SESSION_RATE` allows, or more keys were tried than may be."""

    code = "rate_limited"


class WorkerFull(Unavailable):
    """The worker holds as many sessions as `FLEET_SESSIONS_PER_WORKER` allows."""

    code = "worker_full"


class ViewerLimitReached(Unavailable):
    """As many viewers are watching as `FLEET_VIEWER_LIMIT` allows."""

    code = "viewer_limit_reached"


class PageError(FleetError):
    """The page, or the site it lies on, made the capture impossible."""


class EgressBlocked(PageError):
    """The address is not public and FLEET_EGRESS_ALLOW does not name it."""

    code = "egress_blocked"


class NameNotResolved(PageError):
    """The host name has no address."""

    code = "name_not_resolved"


class ConnectionRefused(PageError):
    """Nothing listens at the host and port."""

    code = "connection_refused"
    worth_another_try = True


class ConnectionFailed(PageError):
    """The connection could not be made, or broke."""

    code = "connection_failed"
    worth_another_try = True


class TlsError(PageError):
    """The server's certificate or TLS handshake is not acceptable."""

    code = "tls_error"


class TooManyRedirects(PageError):
    """The page redirects in a circle."""

    code = "too_many_redirects"


class NavigationTimeout(PageError):
    """`goto.wait_until` was not reached within `goto.timeout`."""

    code = "navigation_timeout"
    worth_another_try = True


class NavigationFailed(PageError):
    """The page could not be opened for a reason without a code of its own."""

    code = "navigation_failed"


class DownloadStarted(PageError):
    """The URL is a download or has no content, so there is no page to capture."""

    code = "download_started"


class PageCrashed(PageError):
    """The page's renderer process died."""

    code = "page_crashed"
    worth_another_try = True


class OutOfMemory(PageError):
    """The page keeps more in memory than FLEET_HEAP_LIMIT_MB allows."""

    code = "out_of_memory"


class PageUnresponsive(PageError):
    """The page floods its browser with WebSocket frames, popups or reloads."""

    code = "page_unresponsive"


class WaitTimeout(PageError):
    """A wait did not come true in time."""

    code = "wait_timeout"
    worth_another_try = True


class SelectorNotFound(PageError):
    """The `selector` of an output or an action matches nothing visible."""

    code = "selector_not_found"


class ActionFailed(PageError):
    """An action could not be done on the page; `details.action` and `details.index` say which."""

    code = "action_failed"


class CaptureTimeout(PageError):
    """The capture as a whole took longer than its `timeout`."""

    code = "capture_timeout"
    worth_another_try = True


class CaptureFailed(PageError):
    """An output could not be taken from the page."""

    code = "capture_failed"


class OutputTooLarge(PageError):
    """The outputs together are larger than a worker passes on."""

    code = "output_too_large"


class FleetFault(FleetError):
    """The fleet itself failed the job."""


class BrowserUnavailable(FleetFault):
    """The worker's browser host or its Chrome does not answer."""

    code = "browser_unavailable"
    worth_another_try = True


class WorkerStopping(FleetFault):
    """The worker stops; it hands its jobs back, so that clients see this only of work that must not run twice."""

    code = "worker_stopping"
    worth_another_try = True


class SessionRestored(FleetFault):
    """The session was rebuilt while the job ran, and running its actions again might not be harmless."""

    code = "session_restored"


class WorkerLost(FleetFault):
    """The job was started as often as allowed, and each time its worker process died."""

    code = "worker_lost"


class JobCancelled(FleetFault):
    """The job was cancelled by a client."""

    code = "job_cancelled"


class InternalError(FleetFault):
    """A defect; the log has the cause under the same request id."""

    code = "internal_error"
    worth_another_try = True


def error_classes() -> Iterator[type[FleetError]]:
    """Every class of the tree that has a code of its own."""
    pending: list[type[FleetError]] = [FleetError]
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if "code" in cls.__dict__:
            yield cls


def is_worth_another_try(code: str) -> bool:
    """Of the error of a job."""
    return any(cls.worth_another_try for cls in error_classes() if cls.code == code)


def error_from(code: str, message: str, details: dict[str, Any]) -> FleetError:
    """The error that was sent as `code` and `message`, from another process or a job record."""
    by_code = {cls.code: cls for cls in error_classes()}
    return by_code.get(code, InternalError)(message, **details)
