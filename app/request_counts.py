"""Counts requests: by method, by the template of the path, by status, and errors by their code."""

import time
from http import HTTPMethod

from flask import Flask, Response, g, request

from app.metrics import ApiCounts

# What clients may invent freely must not become a label.
_METHODS = frozenset(HTTPMethod)
_OTHER = "other"
_NO_ROUTE = "none"


def register_request_counts(app: Flask, counts: ApiCounts) -> None:
    def end(response: Response) -> Response:
        method = request.method if request.method in _METHODS else _OTHER
        route = _route()
        counts.requests.labels(method, route, response.status_code).inc()
        counts.request_seconds.labels(method, route).observe(time.monotonic() - g.started)
        if code := g.get("error_code"):
            counts.errors.labels(code).inc()
        return response

    app.after_request(end)


def _route() -> str:
    """As in the log: /api/jobs/<job_id>"""
    return request.url_rule.rule if request.url_rule else _NO_ROUTE
