"""What can be asked of the API: one function for each call, without I/O."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from fleet_client.errors import NotTheApi, StillRunning, error_of_job
from fleet_client.exchange import Call, Reply, Request, Send, Sink
from fleet_client.files import FileSink, MemorySink
from fleet_client.models import (
    Artifact,
    Batch,
    BatchItem,
    CapturedResponse,
    Job,
    Link,
    Page,
    Readiness,
    Record,
    Script,
    Session,
    Status,
    Webhook,
    Worker,
)
from fleet_client.retries import Deadline, Retries, answered

AnyRecord = TypeVar("AnyRecord", bound=Record)
ArchiveFormat = Literal["zip", "warc"]

# The API waits longer, but proxies between do not.
_WAIT_SLICE_SECONDS = 30
_PAGE_ENTRIES = 200


def call(
    method: str, path: str, retries: Retries, *, query: Mapping[str, str] | None = None, body: Any = None
) -> Call[dict[str, Any]]:
    """Any path of the API that answers JSON. Only what changes nothing is sent again."""
    request = _request(method, path, query=query, body=body, repeatable=method in ("GET", "HEAD"))
    reply = yield from answered(request, retries)
    return reply.json()


# Captures and jobs


def submit(body: Mapping[str, Any], session_id: str | None, key: str | None, retries: Retries) -> Call[Job]:
    reply = yield from answered(_capture(body, session_id, key), retries)
    return _field(reply, "job", Job)


def capture(
    body: Mapping[str, Any], session_id: str | None, key: str | None, wait_seconds: float, retries: Retries
) -> Call[Job]:
    """The job, once it has succeeded. Raises its error, or StillRunning."""
    return (yield from _finished(_capture(body, session_id, key), wait_seconds, retries))


def wait_for(job_id: str, wait_seconds: float, retries: Retries) -> Call[Job]:
    """The job, once it has succeeded. Raises its error, or StillRunning."""
    deadline = Deadline(wait_seconds)
    request = _job(job_id)
    while True:
        seconds = _slice(deadline)
        reply = yield from answered(request.waiting(seconds), retries, deadline=deadline)
        job = _record(reply, Job)
        if job.is_finished:
            return _succeeded(job, reply.request_id)
        if not deadline.seconds_left:
            raise StillRunning(job)


def job(job_id: str, retries: Retries) -> Call[Job]:
    return _record((yield from answered(_job(job_id), retries)), Job)


def jobs(cursor: str | None, retries: Retries) -> Call[Page[Job]]:
    return (yield from _page(_Listing("/api/jobs", "jobs"), Job, cursor, retries))


def cancel_job(job_id: str, retries: Retries) -> Call[Job]:
    reply = yield from answered(_request("DELETE", f"/api/jobs/{_part(job_id)}"), retries)
    return _field(reply, "job", Job)


def _capture(body: Mapping[str, Any], session_id: str | None, key: str | None) -> Request:
    path = f"/api/sessions/{_part(session_id)}/captures" if session_id else "/api/captures"
    return _request("POST", path, body=body, key=key or new_key())


def _finished(first: Request, wait_seconds: float, retries: Retries) -> Call[Job]:
    """The job that a request makes, once it has succeeded. Raises its error, or StillRunning."""
    deadline = Deadline(wait_seconds)
    reply = yield from answered(first.waiting(_slice(deadline)), retries, deadline=deadline)
    accepted = _field(reply, "job", Job)
    if not accepted.is_finished:
        return (yield from wait_for(accepted.id, deadline.seconds_left, retries))
    return _succeeded(accepted, reply.request_id)


def _succeeded(job: Job, request_id: str | None) -> Job:
    error = error_of_job(job, request_id=request_id)
    if error is not None:
        raise error
    return job


def _slice(deadline: Deadline) -> float:
    return min(_WAIT_SLICE_SECONDS, deadline.seconds_left)


def _job(job_id: str) -> Request:
    return _request("GET", f"/api/jobs/{_part(job_id)}")


# Sessions


def create_session(body: Mapping[str, Any], key: str | None, wait_seconds: float, retries: Retries) -> Call[Session]:
    """The session, once it runs. Raises why it does not, or StillRunning."""
    request = _request("POST", "/api/sessions", body=body, key=key or new_key())
    created = yield from _finished(request, wait_seconds, retries)
    return (yield from session(created.session_id or "", retries))


def session(session_id: str, retries: Retries) -> Call[Session]:
    return _record((yield from answered(_session("GET", session_id), retries)), Session)


def sessions(cursor: str | None, retries: Retries) -> Call[Page[Session]]:
    return (yield from _page(_Listing("/api/sessions", "sessions"), Session, cursor, retries))


def update_session(session_id: str, changes: Mapping[str, Any], retries: Retries) -> Call[Session]:
    return _record((yield from answered(_session("PATCH", session_id, body=changes), retries)), Session)


def close_session(session_id: str, wait_seconds: float, retries: Retries) -> Call[Job]:
    return (yield from _finished(_session("DELETE", session_id, key=new_key()), wait_seconds, retries))


def storage_state(session_id: str, retries: Retries) -> Call[dict[str, Any]]:
    request = _request("GET", f"/api/sessions/{_part(session_id)}/storage_state")
    return (yield from answered(request, retries)).json()


def create_view_link(session_id: str, ttl: int | None, retries: Retries) -> Call[Link]:
    body = {} if ttl is None else {"ttl": ttl}
    # Twice sent, it makes two links, and changes nothing.
    request = _request("POST", f"/api/sessions/{_part(session_id)}/view_links", body=body)
    return _record((yield from answered(request, retries)), Link)


def _session(method: str, session_id: str, **more: Any) -> Request:
    return _request(method, f"/api/sessions/{_part(session_id)}", **more)


# Scripts of a session


def scripts(session_id: str, retries: Retries) -> Call[list[Script]]:
    return _list((yield from answered(_request("GET", _scripts(session_id)), retries)), "scripts", Script)


def add_script(session_id: str, source: str, retries: Retries) -> Call[Script]:
    request = _request("POST", _scripts(session_id), body={"source": source}, repeatable=False)
    return _record((yield from answered(request, retries)), Script)


def remove_script(session_id: str, script_id: str, retries: Retries) -> Call[Script]:
    request = _request("DELETE", f"{_scripts(session_id)}/{_part(script_id)}")
    return _record((yield from answered(request, retries)), Script)


def _scripts(session_id: str) -> str:
    return f"/api/sessions/{_part(session_id)}/scripts"


# Captured responses of a session


def responses(
    session_id: str, filters: Mapping[str, str | None], cursor: str | None, retries: Retries
) -> Call[Page[CapturedResponse]]:
    return (yield from _page(_Listing(_responses(session_id), "responses", filters), CapturedResponse, cursor, retries))


def response(session_id: str, response_id: str, retries: Retries) -> Call[CapturedResponse]:
    request = _request("GET", f"{_responses(session_id)}/{_part(response_id)}")
    return _record((yield from answered(request, retries)), CapturedResponse)


def read_response(session_id: str, response_id: str, retries: Retries) -> Call[bytes]:
    request = _file(f"{_responses(session_id)}/{_part(response_id)}/body")
    return (yield from answered(request, retries)).body


def delete_responses(session_id: str, retries: Retries) -> Call[int]:
    reply = yield from answered(_request("DELETE", _responses(session_id)), retries)
    return int(reply.json().get("deleted", 0))


def _responses(session_id: str) -> str:
    return f"/api/sessions/{_part(session_id)}/responses"


# Artifacts


def read(artifact: Artifact | str, retries: Retries) -> Call[bytes]:
    """Raises DamagedDownload, if they are not the bytes that were stored."""
    sink = MemorySink()
    sha256 = yield from _download(artifact, sink, retries)
    return sink.content(sha256)


def download(artifact: Artifact | str, path: Path, retries: Retries) -> Call[Path]:
    """Raises DamagedDownload; OSError, if the file cannot be written."""
    with FileSink(path) as sink:
        sink.check((yield from _download(artifact, sink, retries)))
        return sink.keep()


def artifact_link(artifact: Artifact | str, retries: Retries) -> Call[Link]:
    return _record((yield from answered(_request("GET", f"{_artifact(artifact)}/link"), retries)), Link)


def _download(artifact: Artifact | str, sink: Sink, retries: Retries) -> Call[str]:
    """The SHA-256 that the bytes should have: the manifest's, or that of the ETag."""
    reply = yield from answered(_file(_artifact(artifact)), retries, sink=sink)
    if isinstance(artifact, Artifact):
        return artifact.sha256
    return reply.headers.get("etag", "").removeprefix("W/").strip('"')


def _artifact(artifact: Artifact | str) -> str:
    return f"/api/artifacts/{_part(artifact if isinstance(artifact, str) else artifact.id)}"


# Batches


def create_batch(
    body: bytes, media_type: str, query: Mapping[str, str], key: str | None, retries: Retries
) -> Call[Batch]:
    """`body` as `media_type` says: JSON, NDJSON, CSV, or lines of URLs."""
    headers = {"Content-Type": media_type, "Idempotency-Key": key or new_key()}
    request = Request("POST", "/api/batches", query=query, headers=headers, body=body)
    return _field((yield from answered(request, retries)), "batch", Batch)


def batch(batch_id: str, retries: Retries) -> Call[Batch]:
    return _record((yield from answered(_batch("GET", batch_id), retries)), Batch)


def batches(cursor: str | None, retries: Retries) -> Call[Page[Batch]]:
    return (yield from _page(_Listing("/api/batches", "batches"), Batch, cursor, retries))


def batch_items(batch_id: str, cursor: str | None, state: str | None, retries: Retries) -> Call[Page[BatchItem]]:
    listing = _Listing(f"/api/batches/{_part(batch_id)}/items", "items", {"state": state})
    return (yield from _page(listing, BatchItem, cursor, retries))


def download_archive(batch_id: str, path: Path, archive_format: ArchiveFormat, retries: Retries) -> Call[Path]:
    """Raises OSError, if the file cannot be written."""
    request = _file(f"/api/batches/{_part(batch_id)}/archive", {"format": archive_format})
    with FileSink(path) as sink:
        # It has no checksum; HTTP tells an answer that was broken off from one that has come to its end.
        yield from answered(request, retries, sink=sink)
        return sink.keep()


def change_batch(batch_id: str, change: str, retries: Retries) -> Call[Batch]:
    """`change`: `pause`, `resume`, or `retry`."""
    request = _request("POST", f"/api/batches/{_part(batch_id)}/{change}", repeatable=False)
    return _field((yield from answered(request, retries)), "batch", Batch)


def cancel_batch(batch_id: str, retries: Retries) -> Call[Batch]:
    return _field((yield from answered(_batch("DELETE", batch_id), retries)), "batch", Batch)


def _batch(method: str, batch_id: str) -> Request:
    return _request(method, f"/api/batches/{_part(batch_id)}")


def items_body(items: Iterable[str | Mapping[str, Any]], options: Mapping[str, Any]) -> bytes:
    """URLs, and objects with a `url` and options of their own, as one JSON body."""
    entries = [{"url": item} if isinstance(item, str) else dict(item) for item in items]
    return json.dumps({**options, "items": entries}).encode()


# The fleet


def workers(retries: Retries) -> Call[list[Worker]]:
    return _list((yield from answered(_request("GET", "/api/workers"), retries)), "workers", Worker)


def drain_worker(name: str, retries: Retries) -> Call[Worker]:
    request = _request("POST", f"/api/workers/{_part(name)}/drain")
    return _field((yield from answered(request, retries)), "worker", Worker)


def webhooks(subject_id: str | None, cursor: str | None, retries: Retries) -> Call[Page[Webhook]]:
    listing = _Listing("/api/webhooks", "webhooks", {"subject_id": subject_id})
    return (yield from _page(listing, Webhook, cursor, retries))


def webhook(webhook_id: str, retries: Retries) -> Call[Webhook]:
    return _record((yield from answered(_request("GET", f"/api/webhooks/{_part(webhook_id)}"), retries)), Webhook)


def status(retries: Retries) -> Call[Status]:
    return _record((yield from answered(_request("GET", "/api/status"), retries)), Status)


def readiness() -> Call[Readiness]:
    """As it is now; a fleet that is not ready answers 503, and says which checks fail."""
    reply = yield Send(_request("GET", "/readyz"))
    return _record(reply, Readiness)


# Shapes


@dataclass(frozen=True)
class _Listing:
    """`name`: the field that the entries stand in."""

    path: str
    name: str
    filters: Mapping[str, str | None] = field(default_factory=dict)


def _request(  # noqa: PLR0913  # the parts of a request
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    key: str | None = None,
    repeatable: bool = True,
) -> Request:
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if key is not None:
        headers["Idempotency-Key"] = key
    content = None if body is None else json.dumps(body).encode()
    return Request(method, path, query or {}, headers, content, repeatable)


def _file(path: str, query: Mapping[str, str] | None = None) -> Request:
    """For what is answered as it lies there, whatever its type."""
    return Request("GET", path, query or {}, headers={"Accept": "*/*"})


def new_key() -> str:
    return uuid.uuid4().hex


def _part(text: str) -> str:
    """As one part of a path, whatever is in it."""
    return quote(text, safe="")


def _page(listing: "_Listing", cls: type[AnyRecord], cursor: str | None, retries: Retries) -> Call[Page[AnyRecord]]:
    given = {"limit": str(_PAGE_ENTRIES), "cursor": cursor, **listing.filters}
    query = {name: value for name, value in given.items() if value is not None}
    reply = yield from answered(_request("GET", listing.path, query=query), retries)
    entries = _list(reply, listing.name, cls)
    return Page[AnyRecord](entries=entries, next_cursor=reply.json().get("next_cursor"))


def _list(reply: Reply, name: str, cls: type[AnyRecord]) -> list[AnyRecord]:
    return [_checked(entry, cls) for entry in reply.json().get(name, [])]


def _record(reply: Reply, cls: type[AnyRecord]) -> AnyRecord:
    return _checked(reply.json(), cls)


def _field(reply: Reply, name: str, cls: type[AnyRecord]) -> AnyRecord:
    return _checked(reply.json().get(name), cls)


def _checked(data: Any, cls: type[AnyRecord]) -> AnyRecord:
    try:
        return cls.model_validate(data)
    except ValueError as error:
        raise NotTheApi(f"The answer is not the {cls.__name__.lower()} that was expected: {error}") from error
