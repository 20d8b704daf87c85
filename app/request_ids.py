"""`X-Request-Id`: taken or made, bound to every log line of the request, returned; and the line of each request."""

import re
import time

import structlog
from flask import Flask, Response, g, request

from fleet.ids import new_id

_HEADER = "X-Request-Id"
_PROBES = frozenset({"/healthz", "/readyz"})
# Parts of a path, and the field of a line that each becomes.
_IDS = {"session_id": "session", "job_id": "job"}
_SHAPE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

_log = structlog.get_logger(__name__)


def register_request_ids(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(lambda _error: structlog.contextvars.unbind_contextvars("request", *_IDS.values()))


def _begin() -> None:
    given = request.headers.get(_HEADER, "")
    g.request_id = given if _SHAPE.fullmatch(given) else new_id("req")
    g.started = time.monotonic()
    given_ids = request.view_args or {}
    ids = {field: given_ids[part] for part, field in _IDS.items() if part in given_ids}
    structlog.contextvars.bind_contextvars(request=g.request_id, **ids)


def _end(response: Response) -> Response:
    response.headers[_HEADER] = g.request_id
    rule = request.url_rule
    # Probes come every few seconds for ever; a person wants to see what clients do.
    log = _log.debug if request.path in _PROBES else _log.info
    log(
        "request",
        method=request.method,
        route=rule.rule if rule else None,
        # Without the query, which may hold secrets.
        path=request.path,
        status=response.status_code,
        duration_ms=round((time.monotonic() - g.started) * 1000, 1),
        bytes=response.content_length,
        client=request.remote_addr,
    )
    return response
