"""What a watched session's pages do, as events for its viewers. Nothing is listened to while nobody watches."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from playwright.async_api import BrowserContext, ConsoleMessage, Frame, Page, Request, Response, WebError

from fleet.errors import FleetError
from fleet.store.events import EventStore, EventType, event_json
from workers.browser_host.scripts import script_of

# Longer lists would be told late, and nobody reads so fast.
_BUFFER_MAX = 500
_TEXT_MAX = 2000
# Events that come at once are told together.
_GATHER_SECONDS = 0.05
# Of one type. A page that floods is not listened to for a while: it would keep Playwright itself busy.
_PER_SECOND_MAX = 250
_MUTE_SECONDS = 10

_log = structlog.get_logger(__name__)

Listeners = Mapping[str, Callable[[Any], None]]


class LiveEvents:
    """Of one session, from `start` to `stop`; `follow` says which context it has now."""

    def __init__(self, session_id: str, store: EventStore, *, is_popup: Callable[[Page], bool]) -> None:
        self._session_id = session_id
        self._store = store
        self._is_popup = is_popup
        self._context: BrowserContext | None = None
        self._streams: list[_Stream] = []
        self._buffer: deque[str] = deque()
        self._dropped = 0
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._of_page: Listeners = {
            "framenavigated": self._on_navigated,
            "load": self._on_loaded,
            "crash": self._on_crashed,
            "close": self._on_closed,
        }

    def start(self) -> None:
        self._task = asyncio.create_task(self._tell())

    async def stop(self) -> None:
        self.follow(None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def follow(self, context: BrowserContext | None) -> None:
        if context is self._context:
            return
        if self._context is not None:
            self._leave(self._context)
        self._context = context
        if context is not None:
            self._enter(context)

    def _enter(self, context: BrowserContext) -> None:
        network: Listeners = {
            "request": self._on_request,
            "response": self._on_response,
            "requestfailed": self._on_failed,
        }
        console: Listeners = {"console": self._on_console, "weberror": self._on_web_error}
        self._streams = [
            _Stream(context, "network", network, self._add),
            _Stream(context, "console", console, self._add),
        ]
        for stream in self._streams:
            stream.open()
        context.on("page", self._on_opened)
        for page in context.pages:
            self._listen_to(page)

    def _leave(self, context: BrowserContext) -> None:
        for stream in self._streams:
            stream.close()
        context.remove_listener("page", self._on_opened)
        for page in context.pages:
            for event, listener in self._of_page.items():
                # One that opened just now may have none yet.
                with contextlib.suppress(KeyError):
                    page.remove_listener(event, listener)

    def _listen_to(self, page: Page) -> None:
        for event, listener in self._of_page.items():
            page.on(event, listener)  # type: ignore[call-overload]  # overloads need a literal

    def _on_opened(self, page: Page) -> None:
        self._listen_to(page)
        self._add_of_page("opened", page)

    def _on_navigated(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            self._add_of_page("navigated", frame.page)

    def _on_loaded(self, page: Page) -> None:
        self._add_of_page("loaded", page)

    def _on_crashed(self, page: Page) -> None:
        self._add_of_page("crashed", page)

    def _on_closed(self, page: Page) -> None:
        self._add_of_page("closed", page)

    def _add_of_page(self, name: str, page: Page) -> None:
        self._add("page", name, url=_cut(page.url), popup=self._is_popup(page))

    def _on_request(self, request: Request) -> None:
        facts = {"method": request.method, "resource_type": request.resource_type}
        self._add("network", "request", url=_cut(request.url), **facts)

    def _on_response(self, response: Response) -> None:
        facts = {"status": response.status, "resource_type": response.request.resource_type}
        self._add("network", "response", url=_cut(response.url), **facts)

    def _on_failed(self, request: Request) -> None:
        self._add("network", "failed", url=_cut(request.url), failure=request.failure or "unknown")

    def _on_console(self, message: ConsoleMessage) -> None:
        where = message.location
        self._add("console", message.type, text=_cut(message.text), **_place(where["url"], where["line"]))

    def _on_web_error(self, error: WebError) -> None:
        where = error.location
        self._add("console", "exception", text=_cut(str(error.error)), **_place(where["url"], where["line"]))

    def _add(self, of: EventType, name: str, **facts: Any) -> None:
        if len(self._buffer) >= _BUFFER_MAX:
            self._buffer.popleft()
            self._dropped += 1
        self._buffer.append(event_json(self._session_id, of, name, **facts))
        self._arrived.set()

    async def _tell(self) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._arrived.clear()
            if self._dropped:
                self._add("session", "events_dropped", count=self._dropped)
                self._dropped = 0
            events = list(self._buffer)
            self._buffer.clear()
            try:
                await asyncio.to_thread(self._store.publish_all, self._session_id, events)
            except FleetError as error:
                self._dropped += len(events)
                _log.warning("events not published", session=self._session_id, code=error.code)


class _Stream:
    """Listeners of one type on a context, taken off for a while when the page floods them."""

    def __init__(self, context: BrowserContext, of: EventType, listeners: Listeners, add: Callable[..., None]) -> None:
        self._context = context
        self._of = of
        self._listeners = {event: self._counted(listener) for event, listener in listeners.items()}
        self._add = add
        self._second = 0
        self._count = 0
        self._is_open = False
        self._reopening: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._is_open = True
        for event, listener in self._listeners.items():
            self._context.on(event, listener)  # type: ignore[call-overload]  # overloads need a literal

    def close(self) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
        if self._is_open:
            self._take_off()

    def _take_off(self) -> None:
        self._is_open = False
        for event, listener in self._listeners.items():
            self._context.remove_listener(event, listener)

    def _counted(self, listener: Callable[[Any], None]) -> Callable[[Any], None]:
        def count(told: Any) -> None:
            if (second := int(time.monotonic())) != self._second:
                self._second, self._count = second, 0
            self._count += 1
            if self._count <= _PER_SECOND_MAX:
                listener(told)
            elif self._is_open:
                self._mute()

        return count

    def _mute(self) -> None:
        self._take_off()
        self._add(self._of, "muted", seconds=_MUTE_SECONDS)
        self._reopening = asyncio.get_running_loop().call_later(_MUTE_SECONDS, self.open)


def _cut(text: str) -> str:
    return text[:_TEXT_MAX]


def _place(url: str, line: int) -> dict[str, Any]:
    """`line` counts from 0, and in a script Playwright has put one before the first."""
    if script_id := script_of(url):
        return {"script_id": script_id, "line": line}
    return {"url": _cut(url) or None, "line": line + 1 if url else None}
