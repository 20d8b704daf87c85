"""What a session's pages receive, recorded for as long as the context lives, between captures too."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from traceback import format_tb

import structlog
from playwright.async_api import BrowserContext, Request

from fleet import globs
from fleet.errors import FleetError
from fleet.models.response import RecordResponses, essence
from fleet.store.responses import ResponseStore, ResponseWithBody
from workers.browser_host.exchange import Exchange

_log = structlog.get_logger(__name__)

# Read side by side and written to the store in one step; each may have BODY_LIMIT_MAX.
_BATCH = 8
# Of all sessions together: Chrome hands over a body whole, and it may be large once decoded.
_BODIES_AT_ONCE = 4


class ResponseRecorders:
    """Makes the recorders of one host, which take turns at reading bodies."""

    def __init__(self, responses: ResponseStore) -> None:
        self._responses = responses
        self._reading = asyncio.Semaphore(_BODIES_AT_ONCE)

    def start(
        self, session_id: str, context: BrowserContext, wanted: RecordResponses | None
    ) -> "ResponseRecorder | None":
        """None if the session records nothing: then nobody listens."""
        if wanted is None:
            return None
        return ResponseRecorder(session_id, context, wanted, self._responses, self._reading)


class ResponseRecorder:
    """Listens from its making to `stop`. Never keeps a page waiting: what it cannot keep up with is dropped."""

    def __init__(
        self,
        session_id: str,
        context: BrowserContext,
        wanted: RecordResponses,
        responses: ResponseStore,
        reading: asyncio.Semaphore,
    ) -> None:
        self._session_id = session_id
        self._context = context
        self._wanted = wanted
        self._responses = responses
        self._reading = reading
        # As many as the store keeps: one that falls out here would have fallen out there.
        self._ended: deque[Exchange] = deque(maxlen=responses.limit)
        self._arrived = asyncio.Event()
        self.dropped = 0
        context.on("requestfinished", self._on_ended)
        context.on("requestfailed", self._on_ended)
        self._writing = asyncio.create_task(self._write_on())

    def stop(self) -> None:
        """What is not written yet is lost: the session is over."""
        self._context.remove_listener("requestfinished", self._on_ended)
        self._context.remove_listener("requestfailed", self._on_ended)
        self._ended.clear()
        self._writing.cancel()
        if self.dropped:
            _log.info("responses dropped", session=self._session_id, count=self.dropped)

    def _on_ended(self, request: Request) -> None:
        exchange = Exchange(request)
        if not is_wanted(exchange, self._wanted):
            return
        self.dropped += len(self._ended) == self._ended.maxlen
        self._ended.append(exchange)
        self._arrived.set()

    async def _write_on(self) -> None:
        while True:
            await self._arrived.wait()
            batch = [self._ended.popleft() for _ in range(min(_BATCH, len(self._ended)))]
            if not self._ended:
                self._arrived.clear()
            await self._try_write(batch)

    async def _try_write(self, batch: list[Exchange]) -> None:
        try:
            captured = await asyncio.gather(*(self._capture(exchange) for exchange in batch))
            await asyncio.to_thread(self._responses.add, self._session_id, captured)
        except FleetError as error:
            self.dropped += len(batch)
            _log.warning("responses not kept", session=self._session_id, count=len(batch), code=error.code)
        except Exception as error:  # noqa: BLE001  # top of a periodic task, job or connection
            self.dropped += len(batch)
            # Not the message: it may show headers, which are the user's own.
            kind, where = type(error).__name__, format_tb(error.__traceback__)[-1]
            _log.error("responses not recorded", session=self._session_id, count=len(batch), kind=kind, where=where)

    async def _capture(self, exchange: Exchange) -> ResponseWithBody:
        response, body = await exchange.captured(
            body_limit=self._wanted.body_limit,
            expires_at=exchange.ended_at + self._responses.ttl,
            reading=self._reading,
        )
        return ResponseWithBody(response, body)


def is_wanted(exchange: Exchange, wanted: RecordResponses) -> bool:
    """Whether it passes every filter that is given."""
    return (
        _is_one_of(wanted.resource_types, lambda name: name == exchange.resource_type)
        and _is_one_of(wanted.urls, lambda glob: globs.matches(glob, exchange.url))
        and _is_one_of(wanted.mime_types, lambda glob: globs.matches(glob.lower(), essence(exchange.mime_type)))
    )


def _is_one_of(given: Sequence[str] | None, fits: Callable[[str], bool]) -> bool:
    return given is None or any(fits(one) for one in given)
