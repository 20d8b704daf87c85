"""The client for programs with an event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from fleet_client import calls, transport
from fleet_client.calls import ArchiveFormat
from fleet_client.client import WAIT_SECONDS, capture_body
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


class AsyncFleetClient:
    """As FleetClient, whose docstrings hold here, too."""

    def __init__(
        self, url: str = transport.DEFAULT_URL, *, api_key: str | None = None, retries: Retries | None = None
    ) -> None:
        """Raises ValueError, if `url` is none."""
        self.url = url.rstrip("/")
        self._retries = retries or Retries()
        self._http = httpx2.AsyncClient(**transport.options(self.url, api_key))  # type: ignore[arg-type]  # one place for both clients

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def capture(
        self,
        url: str | None = None,
        *,
        session_id: str | None = None,
        wait: float = WAIT_SECONDS,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        return await self._run(
            calls.capture(capture_body(url, options), session_id, idempotency_key, wait, self._retries)
        )

    async def submit(
        self,
        url: str | None = None,
        *,
        session_id: str | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        return await self._run(calls.submit(capture_body(url, options), session_id, idempotency_key, self._retries))

    async def wait_for(self, job_id: str, *, wait: float = WAIT_SECONDS) -> Job:
        return await self._run(calls.wait_for(job_id, wait, self._retries))

    async def job(self, job_id: str) -> Job:
        return await self._run(calls.job(job_id, self._retries))

    def jobs(self) -> AsyncIterator[Job]:
        return self._entries(lambda cursor: calls.jobs(cursor, self._retries))

    async def cancel_job(self, job_id: str) -> Job:
        return await self._run(calls.cancel_job(job_id, self._retries))

    async def create_session(
        self, *, wait: float = WAIT_SECONDS, idempotency_key: str | None = None, **options: Any
    ) -> Session:
        return await self._run(calls.create_session(options, idempotency_key, wait, self._retries))

    async def session(self, session_id: str) -> Session:
        return await self._run(calls.session(session_id, self._retries))

    def sessions(self) -> AsyncIterator[Session]:
        return self._entries(lambda cursor: calls.sessions(cursor, self._retries))

    async def update_session(self, session_id: str, **changes: Any) -> Session:
        return await self._run(calls.update_session(session_id, changes, self._retries))

    async def close_session(self, session_id: str, *, wait: float = WAIT_SECONDS) -> Job:
        return await self._run(calls.close_session(session_id, wait, self._retries))

    async def storage_state(self, session_id: str) -> dict[str, Any]:
        return await self._run(calls.storage_state(session_id, self._retries))

    async def create_view_link(self, session_id: str, *, ttl: int | None = None) -> Link:
        return await self._run(calls.create_view_link(session_id, ttl, self._retries))

    async def scripts(self, session_id: str) -> list[Script]:
        return await self._run(calls.scripts(session_id, self._retries))

    async def add_script(self, session_id: str, source: str) -> Script:
        return await self._run(calls.add_script(session_id, source, self._retries))

    async def remove_script(self, session_id: str, script_id: str) -> Script:
        return await self._run(calls.remove_script(session_id, script_id, self._retries))

    def responses(
        self,
        session_id: str,
        *,
        url: str | None = None,
        status: str | None = None,
        resource_type: str | None = None,
        mime_type: str | None = None,
    ) -> AsyncIterator[CapturedResponse]:
        filters = {"url": url, "status": status, "resource_type": resource_type, "mime_type": mime_type}
        return self._entries(lambda cursor: calls.responses(session_id, filters, cursor, self._retries))

    async def response(self, session_id: str, response_id: str) -> CapturedResponse:
        return await self._run(calls.response(session_id, response_id, self._retries))

    async def read_response(self, session_id: str, response_id: str) -> bytes:
        return await self._run(calls.read_response(session_id, response_id, self._retries))

    async def delete_responses(self, session_id: str) -> int:
        return await self._run(calls.delete_responses(session_id, self._retries))

    async def read(self, artifact: Artifact | str) -> bytes:
        return await self._run(calls.read(artifact, self._retries))

    async def download(self, artifact: Artifact | str, path: Path | str) -> Path:
        return await self._run(calls.download(artifact, Path(path), self._retries))

    async def artifact_link(self, artifact: Artifact | str) -> Link:
        return await self._run(calls.artifact_link(artifact, self._retries))

    async def create_batch(
        self, items: Iterable[str | Mapping[str, Any]], *, idempotency_key: str | None = None, **options: Any
    ) -> Batch:
        body = calls.items_body(items, options)
        return await self._run(calls.create_batch(body, "application/json", {}, idempotency_key, self._retries))

    async def create_batch_from(
        self,
        content: bytes,
        media_type: str,
        *,
        query: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        return await self._run(calls.create_batch(content, media_type, query or {}, idempotency_key, self._retries))

    async def batch(self, batch_id: str) -> Batch:
        return await self._run(calls.batch(batch_id, self._retries))

    def batches(self) -> AsyncIterator[Batch]:
        return self._entries(lambda cursor: calls.batches(cursor, self._retries))

    def batch_items(self, batch_id: str, *, state: str | None = None) -> AsyncIterator[BatchItem]:
        return self._entries(lambda cursor: calls.batch_items(batch_id, cursor, state, self._retries))

    async def pause_batch(self, batch_id: str) -> Batch:
        return await self._run(calls.change_batch(batch_id, "pause", self._retries))

    async def resume_batch(self, batch_id: str) -> Batch:
        return await self._run(calls.change_batch(batch_id, "resume", self._retries))

    async def retry_batch(self, batch_id: str) -> Batch:
        return await self._run(calls.change_batch(batch_id, "retry", self._retries))

    async def cancel_batch(self, batch_id: str) -> Batch:
        return await self._run(calls.cancel_batch(batch_id, self._retries))

    async def download_archive(
        self,
        batch_id: str,
        path: Path | str,
        *,
        format: ArchiveFormat = "zip",  # noqa: A002  # the API's name
    ) -> Path:
        return await self._run(calls.download_archive(batch_id, Path(path), format, self._retries))

    async def workers(self) -> list[Worker]:
        return await self._run(calls.workers(self._retries))

    async def drain_worker(self, name: str) -> Worker:
        return await self._run(calls.drain_worker(name, self._retries))

    def webhooks(self, *, subject_id: str | None = None) -> AsyncIterator[Webhook]:
        return self._entries(lambda cursor: calls.webhooks(subject_id, cursor, self._retries))

    async def webhook(self, webhook_id: str) -> Webhook:
        return await self._run(calls.webhook(webhook_id, self._retries))

    async def status(self) -> Status:
        return await self._run(calls.status(self._retries))

    async def readiness(self) -> Readiness:
        return await self._run(calls.readiness())

    async def call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]:
        return await self._run(calls.call(method, path, self._retries, query=query, body=body))

    async def batch_items_page(self, batch_id: str, cursor: str | None) -> Page[BatchItem]:
        """One page of them, to come back to."""
        return await self._run(calls.batch_items(batch_id, cursor, None, self._retries))

    async def _entries(self, page_at: Callable[[str | None], Call[Page[Result]]]) -> AsyncIterator[Result]:
        cursor: str | None = None
        while True:
            page = await self._run(page_at(cursor))
            for entry in page.entries:
                yield entry
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _run(self, call: Call[Result]) -> Result:
        try:
            send = next(call)
            while True:
                await asyncio.sleep(send.after_seconds)
                try:
                    reply = await self._exchange(send)
                except ConnectionFailed as error:
                    send = call.throw(error)
                else:
                    send = call.send(reply)
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            call.close()

    async def _exchange(self, send: Send) -> Reply:
        answer = transport.Answer()
        try:
            async with self._http.stream(**transport.arguments(send.request)) as response:  # type: ignore[arg-type]  # as above
                sink = send.sink if send.sink is not None and response.is_success else answer
                sink.restart()
                async for piece in response.aiter_bytes():
                    sink.write(piece)
        except httpx2.HTTPError as error:
            raise transport.translated(error, self.url) from error
        return transport.reply(response, answer.content)
