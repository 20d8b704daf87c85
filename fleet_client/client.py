"""The client for programs that wait for their answers."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from fleet_client import calls, transport
from fleet_client.calls import ArchiveFormat
from fleet_client.errors import ConnectionFailed
from fleet_client.exchange import Call, Reply, Send
from fleet_client.models import (
    Artifact,
    Batch,
    BatchItem,
    CapturedResponse,
    Job,
    Link,
    Page,
    Readiness,
    Script,
    Session,
    Status,
    Webhook,
    Worker,
)
from fleet_client.retries import Retries

Result = TypeVar("Result")

# As long as the longest capture, and as long again in the queue.
WAIT_SECONDS = 600


class FleetClient:
    """Speaks to one fleet's API; may be shared by threads. Close it, or use it in a `with`.

    Every call raises FleetApiError, ConnectionFailed or NotTheApi, all of them FleetClientErrors. What may be sent
    twice is: after 429, 503 and broken connections, as `retries` has it, and never before `Retry-After` is over.
    POSTs get an `Idempotency-Key` for that. `wait`: seconds; after them StillRunning is raised.
    """

    def __init__(
        self, url: str = transport.DEFAULT_URL, *, api_key: str | None = None, retries: Retries | None = None
    ) -> None:
        """Raises ValueError, if `url` is none."""
        self.url = url.rstrip("/")
        self._retries = retries or Retries()
        self._http = httpx2.Client(**transport.options(self.url, api_key))  # type: ignore[arg-type]  # one place for both clients

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def capture(
        self,
        url: str | None = None,
        *,
        session_id: str | None = None,
        wait: float = WAIT_SECONDS,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """The job, once it has succeeded; its `artifacts` can be read and downloaded.

        `options`: of docs/api.md, such as `outputs`, `html`, `wait_for_selector`, and `context` where there is no
        session. Raises PageError or FleetFault, if the job fails.
        """
        return self._run(calls.capture(capture_body(url, options), session_id, idempotency_key, wait, self._retries))

    def submit(
        self,
        url: str | None = None,
        *,
        session_id: str | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """As `capture`, but the job as it is accepted."""
        return self._run(calls.submit(capture_body(url, options), session_id, idempotency_key, self._retries))

    def wait_for(self, job_id: str, *, wait: float = WAIT_SECONDS) -> Job:
        """The job, once it has succeeded. Raises PageError or FleetFault, if it fails."""
        return self._run(calls.wait_for(job_id, wait, self._retries))

    def job(self, job_id: str) -> Job:
        """As it stands."""
        return self._run(calls.job(job_id, self._retries))

    def jobs(self) -> Iterator[Job]:
        """Newest first, asked for page by page."""
        return self._entries(lambda cursor: calls.jobs(cursor, self._retries))

    def cancel_job(self, job_id: str) -> Job:
        return self._run(calls.cancel_job(job_id, self._retries))

    def create_session(
        self, *, wait: float = WAIT_SECONDS, idempotency_key: str | None = None, **options: Any
    ) -> Session:
        """The session, once it runs. `options`: of docs/api.md, such as `device`, `ttl`, `storage_state`."""
        return self._run(calls.create_session(options, idempotency_key, wait, self._retries))

    def session(self, session_id: str) -> Session:
        return self._run(calls.session(session_id, self._retries))

    def sessions(self) -> Iterator[Session]:
        """Newest first, asked for page by page."""
        return self._entries(lambda cursor: calls.sessions(cursor, self._retries))

    def update_session(self, session_id: str, **changes: Any) -> Session:
        """`ttl`, in seconds from now, or `metadata`."""
        return self._run(calls.update_session(session_id, changes, self._retries))

    def close_session(self, session_id: str, *, wait: float = WAIT_SECONDS) -> Job:
        return self._run(calls.close_session(session_id, wait, self._retries))

    def storage_state(self, session_id: str) -> dict[str, Any]:
        """Cookies and origins, to seed another session."""
        return self._run(calls.storage_state(session_id, self._retries))

    def create_view_link(self, session_id: str, *, ttl: int | None = None) -> Link:
        """Whoever has it can watch the session, without input. `ttl`: seconds, by default an hour."""
        return self._run(calls.create_view_link(session_id, ttl, self._retries))

    def scripts(self, session_id: str) -> list[Script]:
        """In the order in which they run, before the pages' own."""
        return self._run(calls.scripts(session_id, self._retries))

    def add_script(self, session_id: str, source: str) -> Script:
        """It runs from the next page on."""
        return self._run(calls.add_script(session_id, source, self._retries))

    def remove_script(self, session_id: str, script_id: str) -> Script:
        return self._run(calls.remove_script(session_id, script_id, self._retries))

    def responses(
        self,
        session_id: str,
        *,
        url: str | None = None,
        status: str | None = None,
        resource_type: str | None = None,
        mime_type: str | None = None,
    ) -> Iterator[CapturedResponse]:
        """Those that all filters let pass, such as `url="*/api/*"` and `status="4xx"`. Newest first, page by page."""
        filters = {"url": url, "status": status, "resource_type": resource_type, "mime_type": mime_type}
        return self._entries(lambda cursor: calls.responses(session_id, filters, cursor, self._retries))

    def response(self, session_id: str, response_id: str) -> CapturedResponse:
        return self._run(calls.response(session_id, response_id, self._retries))

    def read_response(self, session_id: str, response_id: str) -> bytes:
        """What was kept of its body. Raises NotFound, if that is nothing."""
        return self._run(calls.read_response(session_id, response_id, self._retries))

    def delete_responses(self, session_id: str) -> int:
        """How many were there."""
        return self._run(calls.delete_responses(session_id, self._retries))

    def read(self, artifact: Artifact | str) -> bytes:
        """All its bytes. A string: its id. Raises DamagedDownload."""
        return self._run(calls.read(artifact, self._retries))

    def download(self, artifact: Artifact | str, path: Path | str) -> Path:
        """Into a file that is there when it is whole. Raises DamagedDownload, and OSError for the file."""
        return self._run(calls.download(artifact, Path(path), self._retries))

    def artifact_link(self, artifact: Artifact | str) -> Link:
        """To its bytes, past the API where the storage has such links."""
        return self._run(calls.artifact_link(artifact, self._retries))

    def create_batch(
        self, items: Iterable[str | Mapping[str, Any]], *, idempotency_key: str | None = None, **options: Any
    ) -> Batch:
        """`items`: URLs, or objects with a `url` and options of their own. `options`: `capture`, `concurrency` ….

        For lists that are too long to be one JSON body: `create_batch_from`.
        """
        body = calls.items_body(items, options)
        return self._run(calls.create_batch(body, "application/json", {}, idempotency_key, self._retries))

    def create_batch_from(
        self,
        content: bytes,
        media_type: str,
        *,
        query: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """`content` as `media_type` says: `application/x-ndjson`, `text/csv`, `text/plain` or `application/json`."""
        return self._run(calls.create_batch(content, media_type, query or {}, idempotency_key, self._retries))

    def batch(self, batch_id: str) -> Batch:
        return self._run(calls.batch(batch_id, self._retries))

    def batches(self) -> Iterator[Batch]:
        """Newest first, asked for page by page."""
        return self._entries(lambda cursor: calls.batches(cursor, self._retries))

    def batch_items(self, batch_id: str, *, state: str | None = None) -> Iterator[BatchItem]:
        """In their order, asked for page by page."""
        return self._entries(lambda cursor: calls.batch_items(batch_id, cursor, state, self._retries))

    def batch_items_page(self, batch_id: str, cursor: str | None) -> Page[BatchItem]:
        """One page of them, to come back to."""
        return self._run(calls.batch_items(batch_id, cursor, None, self._retries))

    def pause_batch(self, batch_id: str) -> Batch:
        return self._run(calls.change_batch(batch_id, "pause", self._retries))

    def resume_batch(self, batch_id: str) -> Batch:
        return self._run(calls.change_batch(batch_id, "resume", self._retries))

    def retry_batch(self, batch_id: str) -> Batch:
        """All its items that did not succeed begin anew."""
        return self._run(calls.change_batch(batch_id, "retry", self._retries))

    def cancel_batch(self, batch_id: str) -> Batch:
        return self._run(calls.cancel_batch(batch_id, self._retries))

    def download_archive(
        self,
        batch_id: str,
        path: Path | str,
        *,
        format: ArchiveFormat = "zip",  # noqa: A002  # the API's name
    ) -> Path:
        """All that a batch has yielded so far, into a file that is there when it is whole. Raises OSError for it."""
        return self._run(calls.download_archive(batch_id, Path(path), format, self._retries))

    def workers(self) -> list[Worker]:
        """Those that are alive, by name."""
        return self._run(calls.workers(self._retries))

    def drain_worker(self, name: str) -> Worker:
        """It takes no more work, and gives its sessions to others. It runs on, empty, until it is started anew."""
        return self._run(calls.drain_worker(name, self._retries))

    def webhooks(self, *, subject_id: str | None = None) -> Iterator[Webhook]:
        """Of a job, batch or session, or of all. Newest first, asked for page by page."""
        return self._entries(lambda cursor: calls.webhooks(subject_id, cursor, self._retries))

    def webhook(self, webhook_id: str) -> Webhook:
        """With its attempts."""
        return self._run(calls.webhook(webhook_id, self._retries))

    def status(self) -> Status:
        return self._run(calls.status(self._retries))

    def readiness(self) -> Readiness:
        """Asked once: a fleet that is not ready is an answer, too."""
        return self._run(calls.readiness())

    def call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]:
        """Any other path of the API that answers JSON. Only a GET is sent again."""
        return self._run(calls.call(method, path, self._retries, query=query, body=body))

    def _entries(self, page_at: Callable[[str | None], Call[Page[Result]]]) -> Iterator[Result]:
        cursor: str | None = None
        while True:
            page = self._run(page_at(cursor))
            yield from page.entries
            cursor = page.next_cursor
            if cursor is None:
                return

    def _run(self, call: Call[Result]) -> Result:
        try:
            send = next(call)
            while True:
                time.sleep(send.after_seconds)
                try:
                    reply = self._exchange(send)
                except ConnectionFailed as error:
                    send = call.throw(error)
                else:
                    send = call.send(reply)
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            call.close()

    def _exchange(self, send: Send) -> Reply:
        answer = transport.Answer()
        try:
            with self._http.stream(**transport.arguments(send.request)) as response:  # type: ignore[arg-type]  # as above
                sink = send.sink if send.sink is not None and response.is_success else answer
                sink.restart()
                for piece in response.iter_bytes():
                    sink.write(piece)
        except httpx2.HTTPError as error:
            raise transport.translated(error, self.url) from error
        return transport.reply(response, answer.content)


def capture_body(url: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    return dict(options) if url is None else {"url": url, **options}
