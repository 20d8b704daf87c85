"""What a pool child may ask of the host. Parameters and results are JSON-like; outputs are bytes."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from playwright.async_api import Page

from fleet.errors import BrowserUnavailable, CaptureTimeout, JobCancelled, SessionEnded
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.session import SessionRequest
from workers.browser_host.captures import Captures, Taken
from workers.browser_host.chrome import Chrome, close_context
from workers.browser_host.chrome_keeper import ChromeKeeper
from workers.browser_host.gate import Gate
from workers.browser_host.sessions import Sessions
from workers.browser_host.storage_states import storage_state

Params = dict[str, Any]
Command = Callable[[Params], Awaitable[Params]]

# Cancellations that are remembered for commands still to come.
_CANCELLED_MAX = 1_000


class Commands:
    def __init__(self, keeper: ChromeKeeper, sessions: Sessions, captures: Captures, gate: Gate) -> None:
        self._keeper = keeper
        self._gate = gate
        self._sessions = sessions
        self._captures = captures
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: OrderedDict[str, None] = OrderedDict()

    def table(self) -> dict[str, Command]:
        commands = {
            "capture": self._one_shot_capture,
            "open_session": self._open_session,
            "session_capture": self._session_capture,
            "close_session": self._close_session,
            "restore_session": self._restore_session,
            "storage_state": self._storage_state,
        }
        return {name: with_ids(command) for name, command in commands.items()}

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
        async with self._as_job(params["job_id"]), _deadline(request), self._fresh_page(request) as fresh:
            return await self._take(*fresh, request)

    @asynccontextmanager
    async def _fresh_page(self, request: OneShotCaptureRequest) -> AsyncIterator[tuple[Chrome, Page]]:
        chrome = await self._keeper.current()
        context = await chrome.new_context(request.context)
        try:
            yield chrome, await chrome.new_page(context)
        finally:
            await close_context(context)

    async def _open_session(self, params: Params) -> Params:
        request = SessionRequest.model_validate_json(params["request"])
        async with self._as_job(params["job_id"]):
            page = await self._sessions.open(params["session_id"], request, params["scripts"])
            return {"url": page.url, "title": await page.title()}

    async def _session_capture(self, params: Params) -> Params:
        request = CaptureRequest.model_validate_json(params["request"])
        session_id = params["session_id"]
        async with self._as_job(params["job_id"]), self._sessions.using(session_id) as opened:
            try:
                async with _deadline(request):
                    await opened.scripts.follow(params["scripts"])
                    page = await opened.ensure_page()
                    return await self._take(opened.chrome, page, request)
            except BaseException as error:
                await opened.discard_page()
                if isinstance(error, BrowserUnavailable) and not self._sessions.is_held(session_id):
                    raise SessionEnded("The session ended during the job.", end_reason="unknown") from error
                raise

    async def _take(self, chrome: Chrome, page: Page, request: CaptureRequest) -> Params:
        self._keeper.captures += 1
        return _result(await self._captures.take(chrome, page, request))

    async def _storage_state(self, params: Params) -> Params:
        async with self._as_job(params["job_id"]), self._sessions.using(params["session_id"]) as opened:
            return {"state": json.dumps(await storage_state(opened.context))}

    async def _restore_session(self, params: Params) -> Params:
        async with self._gate.passed():
            await self._sessions.restore(params["session_id"])
        return {}

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
            async with self._gate.passed():
                yield
        except asyncio.CancelledError:
            if job_id not in self._cancelled:
                raise
            task.uncancel()
            raise cancelled from None
        finally:
            self._running.pop(job_id, None)


def with_ids(command: Command) -> Command:
    """In each line that it logs: whose work it is."""

    async def run(params: Params) -> Params:
        ids = {"job": params.get("job_id"), "session": params.get("session_id")}
        with structlog.contextvars.bound_contextvars(**{name: one for name, one in ids.items() if one}):
            return await command(params)

    return run


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
