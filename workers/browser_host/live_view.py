"""The sessions of this host that somebody watches: their frames, events and input, for as long as somebody does."""

import asyncio
import contextlib
import time

import structlog
from playwright.async_api import Page

from fleet import keys
from fleet.models.viewer import FrameWishes, Viewer
from fleet.store import Store
from fleet.store.asks import Delivered, InputAsk, read_ask
from fleet.store.frames import Frame
from fleet.store.notifications import Notifications
from workers.browser_host.chrome import Chrome
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.gate import Gate
from workers.browser_host.input import SessionInput
from workers.browser_host.live_events import LiveEvents
from workers.browser_host.screencast import Screencast
from workers.browser_host.sessions import HeldSession, Sessions

# Pages are replaced, parked and restored by many hands; a look at an attribute costs nothing.
_LOOK_SECONDS = 0.25
# The viewers' word that a frame has come may be lost, and all of them may be very slow.
_DELIVERY_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class LiveViews:
    def __init__(
        self, store: Store, sessions: Sessions, egress: EgressProxy, gate: Gate, notifications: Notifications
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._egress = egress
        self._gate = gate
        self._notifications = notifications
        self._views: dict[str, _LiveView] = {}
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Who watches now: begins and ends what has to."""
        async with self._looking:
            held = self._sessions.ids
            found = await asyncio.to_thread(self._store.viewers.of_sessions, held) if held else {}
            for session_id in self._views.keys() - {session_id for session_id, viewers in found.items() if viewers}:
                await self._end(session_id)
            for session_id, viewers in found.items():
                if viewers:
                    await self._go_on(session_id, viewers)

    async def _go_on(self, session_id: str, viewers: list[Viewer]) -> None:
        if session_id in self._views:
            self._views[session_id].viewers = viewers
            await asyncio.to_thread(self._store.frames.keep, session_id)
        else:
            await self._begin(session_id, viewers)

    async def _begin(self, session_id: str, viewers: list[Viewer]) -> None:
        by_viewers = SessionInput(session_id, self._sessions, self._store, self._egress, self._gate)
        view = self._views[session_id] = _LiveView(session_id, self._sessions, self._store, by_viewers)
        view.viewers = viewers
        view.start()
        loop = asyncio.get_running_loop()

        def heard(message: str) -> None:
            loop.call_soon_threadsafe(view.on_ask, message)

        await asyncio.to_thread(self._notifications.listen, keys.session_asks(session_id), heard)

    async def _end(self, session_id: str) -> None:
        await asyncio.to_thread(self._notifications.forget, keys.session_asks(session_id))
        await self._views.pop(session_id).stop()

    async def stop(self) -> None:
        async with self._looking:
            await asyncio.gather(*(self._end(session_id) for session_id in list(self._views)))


class _LiveView:
    """Of one session: follows its page wherever it goes."""

    def __init__(self, session_id: str, sessions: Sessions, store: Store, by_viewers: SessionInput) -> None:
        self._session_id = session_id
        self._sessions = sessions
        self._store = store
        self._input = by_viewers
        self._events = LiveEvents(session_id, store.events, is_popup=lambda page: page is not self._page_now())
        self._cast: Screencast | None = None
        self._shown: tuple[Page, FrameWishes] | None = None
        self._chrome: Chrome | None = None
        # Begins above what an earlier host of the session may have given.
        self._number = int(time.time() * 1000)
        self._delivered = 0
        self._has_come = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.viewers: list[Viewer] = []

    def start(self) -> None:
        self._input.start()
        self._events.start()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._show(None, None)
        await self._input.stop()
        await self._events.stop()

    def on_ask(self, message: str) -> None:
        match read_ask(message):
            case Delivered(frame=number):
                self._delivered = max(self._delivered, number)
                self._has_come.set()
            case InputAsk() as ask:
                self._input.add(ask)

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
                _log.exception("live view failed", session=self._session_id)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        held = self._sessions.get(self._session_id)
        opened = held.opened if held is not None else None
        self._events.follow(opened.context if opened is not None else None)
        page, wishes = self._page_now(), most_demanding(self.viewers)
        wanted = (page, wishes) if page is not None and wishes is not None else None
        if wanted != self._shown or (wanted is not None and self._cast is not None and self._cast.is_over):
            await self._show(wanted, opened.chrome if opened is not None else None)

    def _page_now(self) -> Page | None:
        held: HeldSession | None = self._sessions.get(self._session_id)
        page = held.opened.page if held is not None and held.opened is not None else None
        return page if page is not None and not page.is_closed() else None

    async def _show(self, wanted: tuple[Page, FrameWishes] | None, chrome: Chrome | None) -> None:
        """Ends what is shown and shows that."""
        before, self._shown = self._shown, None
        if self._cast is not None:
            await self._cast.stop()
            self._cast = None
        if before is not None and self._chrome is not None and (wanted is None or wanted[0] is not before[0]):
            self._chrome.idle.unwatch(before[0])
        self._chrome = chrome
        if wanted is None or chrome is None:
            return
        await chrome.idle.watch(wanted[0])
        self._cast = Screencast(*wanted, self._deliver)
        self._cast.start()
        self._shown = wanted

    async def _deliver(self, width: int, height: int, jpeg: str) -> None:
        self._number += 1
        frame = Frame(number=self._number, width=width, height=height, jpeg=jpeg)
        await asyncio.to_thread(self._store.frames.publish, self._session_id, frame)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DELIVERY_SECONDS):
                while self._delivered < frame.number:
                    self._has_come.clear()
                    await self._has_come.wait()


def most_demanding(viewers: list[Viewer]) -> FrameWishes | None:
    """What satisfies all of them; None: nobody wants frames."""
    wishes = [viewer.frames for viewer in viewers if viewer.frames is not None]
    if not wishes:
        return None
    return FrameWishes(
        quality=max(one.quality for one in wishes),
        max_fps=max(one.max_fps for one in wishes),
        max_width=max(one.max_width for one in wishes),
    )
