"""What a pool child may ask of the host. Parameters and results are JSON-like; outputs are bytes."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Page

from fleet.errors import BrowserUnavailable, CaptureTimeout, JobCancelled
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.session import SessionRequest
from workers.browser_host.captures import Captures, Taken
from workers.browser_host.chrome import Chrome, close_context
from workers.browser_host.sessions import Sessions
from workers.browser_host.storage_states import storage_state_json

Params = dict[str, Any]

# Cancellations that are remembered for commands still to come.
_CANCELLED_MAX = 1_000


class Commands:
    def __init__(self, chrome: Chrome, sessions: Sessions, captures: Captures) -> None:
        self._chrome = chrome
        self._sessions = sessions
        self._captures = captures
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: OrderedDict[str, None] = OrderedDict()

    def table(self) -> dict[str, Callable[[Params], Awaitable[Params]]]:
        return {
            "capture": self._one_shot_capture,
            "open_session": self._open_session,
            "session_capture": self._session_capture,
            "close_session": self._close_session,
            "storage_state": self._storage_state,
        }

    def cancel(self, job_id: str) -> None:
        """Ends the job's command with JobCancelled, now or as soon as it comes: every host hears of every job."""
        self._cancelled[job_id] = None
        while len(self._cancelled) > _CANCELLED_MAX:
            self._cancelled.popitem(last=False)
        task = self._running.get(job_id)
        if task is not None:
            task.cancel()

    async def _one_shot_capture(self, params: Params) -> Params:
        request = OneShotCaptureRequest.model_validate_json(params["request"])
        async with self._as_job(params["job_id"]), _deadline(request), self._fresh_page(request) as page:
            return _result(await self._captures.take(page, request))

    @asynccontextmanager
    async def _fresh_page(self, request: OneShotCaptureRequest) -> AsyncIterator[Page]:
        context = await self._chrome.new_context(request.context)
        try:
            yield await self._chrome.new_page(context)
        finally:
            await close_context(context)

    async def _open_session(self, params: Params) -> Params:
        request = SessionRequest.model_validate_json(params["request"])
        async with self._as_job(params["job_id"]):
            page = await self._sessions.open(params["session_id"], request, params["scripts"])
            return {"url": page.url, "title": await page.title()}

    async def _session_capture(self, params: Params) -> Params:
        request = CaptureRequest.model_validate_json(params["request"])
        held = self._sessions.get(params["session_id"])
        async with self._as_job(params["job_id"]):
            try:
                async with _deadline(request):
                    await held.scripts.follow(params["scripts"])
                    page = await held.ensure_page()
                    taken = await self._captures.take(page, request)
            except BaseException as error:
                await held.discard_page()
                if isinstance(error, BrowserUnavailable):
                    # Unless the session itself was closed meanwhile, which is the better word for it.
                    self._sessions.get(params["session_id"])
                raise
            return _result(taken)

    async def _storage_state(self, params: Params) -> Params:
        held = self._sessions.get(params["session_id"])
        async with self._as_job(params["job_id"]):
            return {"state": await storage_state_json(held.context)}

    async def _close_session(self, params: Params) -> Params:
        return {"closed": await self._sessions.close(params["session_id"])}

    @asynccontextmanager
    async def _as_job(self, job_id: str) -> AsyncIterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # commands run in tasks of the server
        cancelled = JobCancelled("The job was cancelled while it ran.")
        if job_id in self._cancelled:
            raise cancelled
        self._running[job_id] = task
        try:
            yield
        except asyncio.CancelledError:
            if job_id not in self._cancelled:
                raise
            task.uncancel()
            raise cancelled from None
        finally:
            self._running.pop(job_id, None)


@asynccontextmanager
async def _deadline(request: CaptureRequest) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(request.timeout / 1000):
            yield
    except TimeoutError as error:
        message = f"The capture did not finish within its timeout of {request.timeout} ms."
        raise CaptureTimeout(message) from error


def _result(taken: Taken) -> Params:
    return {
        "visit": taken.visit.model_dump_json(),
        "outputs": [
            {"kind": output.kind, "media_type": output.media_type, "content": output.content}
            for output in taken.outputs
        ],
    }
