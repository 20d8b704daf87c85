"""How each failure is answered: one table from error class to HTTP status, one shape for all of them."""

from http import HTTPStatus
from typing import NoReturn

import structlog
from flask import Flask, Response, g, jsonify
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from fleet import errors
from fleet.errors import FleetError, InternalError, InvalidRequest, Unavailable
from fleet.models.actions import ACTION_KINDS

_log = structlog.get_logger(__name__)

# PageErrors are met by a job; they become an HTTP status only where the client asked for the artifact itself.
STATUS: dict[type[FleetError], HTTPStatus] = {
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.InvalidJson: HTTPStatus.BAD_REQUEST,
    errors.InvalidUrl: HTTPStatus.BAD_REQUEST,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.AdminKeyRequired: HTTPStatus.FORBIDDEN,
    errors.CrossOriginRefused: HTTPStatus.FORBIDDEN,
    errors.RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.IdempotencyKeyReused: HTTPStatus.CONFLICT,
    errors.IdempotencyInProgress: HTTPStatus.CONFLICT,
    errors.RouteNotFound: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.SessionNotFound: HTTPStatus.NOT_FOUND,
    errors.SessionEnded: HTTPStatus.GONE,
    errors.JobNotFound: HTTPStatus.NOT_FOUND,
    errors.ArtifactNotFound: HTTPStatus.NOT_FOUND,
    errors.ResponseNotFound: HTTPStatus.NOT_FOUND,
    errors.WorkerNotFound: HTTPStatus.NOT_FOUND,
    errors.BatchNotFound: HTTPStatus.NOT_FOUND,
    errors.WebhookNotFound: HTTPStatus.NOT_FOUND,
    errors.BatchTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.BatchConflict: HTTPStatus.CONFLICT,
    errors.SitemapUnusable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ViewLinkInvalid: HTTPStatus.UNAUTHORIZED,
    errors.StreamReadOnly: HTTPStatus.FORBIDDEN,
    errors.UpgradeRequired: HTTPStatus.UPGRADE_REQUIRED,
    errors.ScriptTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ScriptLimitReached: HTTPStatus.CONFLICT,
    errors.ScriptSyntaxError: HTTPStatus.BAD_REQUEST,
    errors.ScriptNotFound: HTTPStatus.NOT_FOUND,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NoWorkers: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WorkerFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    errors.SessionBusy: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.ViewerLimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    errors.PageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.BrowserUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WorkerStopping: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SessionRestored: HTTPStatus.CONFLICT,
    errors.WorkerLost: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.JobCancelled: HTTPStatus.CONFLICT,
    errors.InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_RETRY_AFTER_SECONDS = 2


def status_of(error: FleetError) -> HTTPStatus:
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def answer(error: FleetError) -> Response:
    status = status_of(error)
    g.error_code = error.code
    response = jsonify(
        error={
            "code": error.code,
            "message": error.message,
            "details": error.details,
            "request_id": g.get("request_id"),
        }
    )
    response.status_code = status
    response.headers.update(headers_of(error))
    return response


def headers_of(error: FleetError) -> dict[str, str]:
    """Those that the status asks for."""
    match status_of(error):
        case HTTPStatus.UNAUTHORIZED:
            return {"WWW-Authenticate": "Bearer"}
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            seconds = error.retry_after if isinstance(error, Unavailable) else _RETRY_AFTER_SECONDS
            return {"Retry-After": str(seconds)}
        case _:
            return {}


def register_error_handlers(app: Flask) -> None:
    app.register_error_handler(FleetError, answer)
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(Exception, _on_defect)


def _on_http(error: HTTPException) -> Response:
    response = answer(of_http(error))
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range"):
            response.headers[name] = value
    return response


def of_http(error: HTTPException) -> FleetError:
    match error.code:
        case HTTPStatus.NOT_FOUND:
            return errors.RouteNotFound("There is nothing at this path; GET /docs lists what there is.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or []))
            return errors.MethodNotAllowed(f"This path takes {allowed or 'other methods'}.")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return errors.BodyTooLarge("The request body is too large; FLEET_BODY_LIMIT_BYTES sets the limit.")
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return errors.RangeNotSatisfiable("The range lies beyond the end of the artifact.")
        case _:
            return InvalidRequest(error.description or "The request cannot be read.")


def _on_defect(error: Exception) -> Response:
    return answer(defect(error))


def defect(error: Exception) -> InternalError:
    _log.error("request failed by a defect", exc_info=error)
    return InternalError("The API failed; its log has the cause under this request_id.")


def raise_invalid(error: ValidationError) -> NoReturn:
    """Pydantic's findings as one of our errors, the first one in the message."""
    found = [_problem(problem) for problem in error.errors(include_url=False)]
    first = found[0]
    message = f"{first['field']}: {first['problem']}" if first["field"] else first["problem"]
    kind = errors.InvalidUrl if error.errors()[0]["type"] == "invalid_url" else InvalidRequest
    raise kind(message, field=first["field"], errors=found[:20])


def _problem(problem: ErrorDetails) -> dict[str, str]:
    location = [*problem["loc"]]
    context = problem.get("ctx") or {}
    if named := context.get("field"):
        location.append(named)
    match problem["type"]:
        case "union_tag_invalid":
            return {"field": _path([*location, "kind"]), "problem": f"must be one of {context['expected_tags']}"}
        case "union_tag_not_found":
            return {"field": _path([*location, "kind"]), "problem": "is missing"}
        case _:
            return {"field": _path(location), "problem": problem["msg"]}


def _path(location: list[int | str]) -> str:
    """`outputs[0].full_page`; the tag that pydantic puts in for a union's member is left out."""
    path = ""
    for before, part in zip([None, *location], location, strict=False):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not isinstance(before, int):
            path += f".{part}" if path else part
        elif part not in ("screenshot", "pdf", "html", *ACTION_KINDS):
            path += f".{part}"
    return path
