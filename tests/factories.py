"""Records with defaults, so that a test shows only what matters to it."""

import hashlib
from datetime import timedelta
from typing import Any

from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.artifact import Artifact
from fleet.models.job import Job, JobKind
from fleet.models.manifest import Manifest, Timings
from fleet.models.script import Script
from fleet.models.worker import WorkerReport


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
