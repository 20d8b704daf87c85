"""/healthz and /readyz"""

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify
from flask_openapi3 import APIBlueprint, Tag

from app.wiring import services

# Orchestrators have no key.
_OPEN: dict[str, Any] = {"security": []}

api = APIBlueprint("health", __name__, abp_tags=[Tag(name="health", description="For orchestrators.")])


@api.get("/healthz", summary="Alive: the process answers", openapi_extensions=_OPEN)
def healthz() -> Response:
    return jsonify(status="ok")


@api.get(
    "/readyz",
    summary="Ready: Redis answers, a worker can take work, and artifacts can be written",
    openapi_extensions=_OPEN,
)
def readyz() -> Response:
    health = services().health
    failing = health.failing()
    ok = [name for name in health.names() if name not in failing]
    response = jsonify(status="failing" if failing else "ok", ok=ok, failing=failing)
    if failing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Retry-After"] = "2"
    return response
