"""What can be found out about a fleet from outside, through its API."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files

from fleet_client.client import FleetClient
from fleet_client.doctor.finding import Finding, failed, ok, unknown, warning
from fleet_client.errors import ConnectionFailed, FleetApiError, FleetClientError, Unauthorized
from fleet_client.models import Artifact, Job, Status

_CLOCK_SECONDS = 5
_CANARY_SECONDS = 60
_PNG = b"\x89PNG\r\n\x1a\n"
_PDF = b"%PDF-"
_START = "Start it with `make up`, or name another address with --server or FLEET_URL."
_READY_REMEDIES = {
    "redis": "Start Redis, or correct FLEET_REDIS_URL; the API's log says what it met.",
    "workers": "Start a worker, or look at its log: `make up` shows it.",
}


def findings(fleet: FleetClient) -> Iterator[Finding]:
    """One after the other. When the API does not answer, that is all."""
    try:
        fleet.call("GET", "/healthz")
    except FleetClientError as error:
        remedy = _START if isinstance(error, ConnectionFailed) else "Correct the address; /healthz is to answer."
        yield failed("api", str(error), remedy)
        return
    yield ok("api", f"answers at {fleet.url}")
    yield from _readiness(fleet)
    try:
        status = fleet.status()
    except Unauthorized as error:
        yield failed("api key", error.message, "Set FLEET_API_KEY to one of the keys in the fleet's FLEET_API_KEYS.")
        return
    except FleetClientError as error:
        yield failed("status", str(error), "Read the API's log.")
    else:
        yield from _status(status)
    yield from _canary(fleet)


def _readiness(fleet: FleetClient) -> Iterator[Finding]:
    try:
        readiness = fleet.readiness()
    except FleetClientError as error:
        yield failed("ready", str(error), "Read the API's log.")
        return
    for name in readiness.ok:
        yield ok(name, "seen by the API")
    for name, reason in readiness.failing.items():
        yield failed(name, reason, _READY_REMEDIES.get(name, "Read the API's log."))


def _status(status: Status) -> Iterator[Finding]:
    yield _clock(status)
    if status.chrome.up < status.chrome.expected:
        text = f"{status.chrome.up} of {status.chrome.expected} workers have one that answers"
        yield failed("chrome", text, "Read the log of the worker without one; on its machine, run `make doctor`.")
    elif status.chrome.expected:
        yield ok("chrome", f"runs on {status.chrome.expected} of {status.chrome.expected} workers")
    if not status.alerts:
        yield ok("alerts", "none")
    for alert in status.alerts:
        where = f" ({alert.worker})" if alert.worker else ""
        told = failed if alert.severity == "critical" else warning
        yield told("alerts", f"{alert.name}{where}: {alert.message}", "See docs/operating.md.")


def _clock(status: Status) -> Finding:
    apart = abs((datetime.now(UTC) - status.at).total_seconds())
    if apart > _CLOCK_SECONDS:
        text = f"this machine's and the fleet's are {apart:.0f} s apart"
        return warning("clock", text, "Let both keep time by NTP; sessions end and files expire by it.")
    return ok("clock", "this machine's and the fleet's agree")


def _canary(fleet: FleetClient) -> Iterator[Finding]:
    """A page of our own, captured as a user would: no site has a part in it."""
    html = files("fleet_client.doctor").joinpath("canary.html").read_text(encoding="utf-8")
    outputs = [{"kind": "screenshot"}, {"kind": "pdf"}]
    try:
        job = fleet.capture(html=html, outputs=outputs, wait=_CANARY_SECONDS, timeout=_CANARY_SECONDS * 1000)
        starts = [fleet.read(artifact)[:16] for artifact in job.artifacts]
    except FleetApiError as error:
        yield failed("canary", str(error), f"See {error.code} in docs/errors.md; the worker's log has the rest.")
        return
    except FleetClientError as error:
        yield failed("canary", str(error), "Look at the queue and the workers: `make up` shows their log.")
        return
    if not (starts[0].startswith(_PNG) and starts[1].startswith(_PDF)):
        yield failed("canary", "the files are no PNG and PDF", "Look at the artifacts folder, and at proxies between.")
        return
    yield ok("canary", f"captured as PNG and PDF, {_took(job)}{_size(job.artifacts)}")
    yield _fonts(job)


def _took(job: Job) -> str:
    if job.finished_at is None or job.started_at is None:
        return ""
    waited = (job.started_at - job.queued_at).total_seconds()
    worked = (job.finished_at - job.started_at).total_seconds()
    return f"{waited:.1f} s in the queue, {worked:.1f} s at work"


def _size(artifacts: list[Artifact]) -> str:
    return f", {sum(artifact.bytes for artifact in artifacts):,} bytes read back"


def _fonts(job: Job) -> Finding:
    """The page has told by its title for which scripts there is no font."""
    try:
        missing = json.loads(job.result.title if job.result else "")
    except ValueError:
        return unknown("fonts", "the canary did not tell")
    if not missing:
        return ok("fonts", "for Latin, Greek, Cyrillic, Arabic, Chinese, Japanese, Korean and emoji")
    packages = "apt-get install fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
    return warning("fonts", f"none for {', '.join(missing)}: boxes take their place", f"On the workers: {packages}")
