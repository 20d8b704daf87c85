"""Records with defaults, so that a test shows only what matters to it."""

import hashlib
from datetime import timedelta
from typing import Any

from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.alert import Alert, Severity
from fleet.models.artifact import Artifact
from fleet.models.job import Job, JobKind
from fleet.models.manifest import Manifest, Timings
from fleet.models.response import CapturedResponse, Content, Header, RequestSent, ResponseReceived, ResponseTimings
from fleet.models.script import Script
from fleet.models.viewer import Viewer
from fleet.models.worker import WorkerReport
from fleet.store.responses import ResponseWithBody


def a_job(**changes: Any) -> Job:
    """A queued capture without a session."""
    return Job(**{"id": new_id("job"), "kind": JobKind.CAPTURE, "queued_at": utc_now(), **changes})


def an_artifact(content: bytes = b"bytes", **changes: Any) -> Artifact:
    """The record of a PNG with that content."""
    defaults = {
        "id": new_id("art"),
        "kind": "screenshot",
        "media_type": "image/png",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "expires_at": utc_now() + timedelta(days=7),
    }
    return Artifact(**{**defaults, **changes})


def a_manifest(*artifacts: Artifact, **changes: Any) -> Manifest:
    defaults = {
        "url": "http://a.example/",
        "final_url": "http://a.example/",
        "status": 200,
        "title": "A page",
        "browser_version": "156.0",
        "timings": Timings(),
    }
    return Manifest(**{**defaults, **changes}, artifacts=list(artifacts))


def a_script(source: str = "window.seen = true", **changes: Any) -> Script:
    defaults = {"id": new_id("scr"), "source": source, "bytes": len(source.encode()), "created_at": utc_now()}
    return Script(**{**defaults, **changes})


def a_viewer(**changes: Any) -> Viewer:
    """One that wants events alone."""
    return Viewer(**{"id": new_id("vwr"), "session_id": new_id("ses"), **changes})


def a_worker_report(**changes: Any) -> WorkerReport:
    defaults = {
        "name": "fleet@test",
        "started_at": utc_now(),
        "reported_at": utc_now(),
        "sessions": 0,
        "session_limit": 10,
        "browser_version": "156.0",
    }
    return WorkerReport(**{**defaults, **changes})


def an_alert(name: str, severity: Severity, **changes: Any) -> Alert:
    defaults = {"worker": "fleet@test", "value": 9, "threshold": 8, "since": utc_now(), "message": "Do something."}
    return Alert(**{"name": name, "severity": severity, **defaults, **changes})


def a_response(
    body: bytes = b"body",
    *,
    url: str = "http://a.example/",
    status: int = 200,
    mime_type: str = "text/html; charset=utf-8",
    lives_seconds: float = 300,
    **changes: Any,
) -> ResponseWithBody:
    now = utc_now()
    defaults = {
        "id": new_id("rsp"),
        "started_date_time": now,
        "expires_at": now + timedelta(seconds=lives_seconds),
        "time": 12.5,
        "request": RequestSent(method="GET", url=url, headers=[], body_size=0),
        "response": ResponseReceived(
            status=status,
            status_text="OK",
            headers=[Header(name="Content-Type", value=mime_type)],
            content=Content(size=len(body), mime_type=mime_type),
            redirect_url="",
        ),
        "timings": ResponseTimings(wait=10),
        "resource_type": "document",
        "from_cache": False,
        "from_service_worker": False,
        "body_bytes": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest() if body else None,
    }
    return ResponseWithBody(CapturedResponse(**{**defaults, **changes}), body)
