"""All viewers of this process: one thread, whose event loop serves their sockets, and one that listens to Redis."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog
from websockets.http11 import Response

from app.viewers.connection import GOING_AWAY, Connection
from app.viewers.handshake import TakenSocket
from app.viewers.mailbox import Mailbox, Picture
from app.viewers.viewer_input import ViewerInput
from app.viewers.watched import Seat, WatchedSession
from fleet import keys
from fleet.errors import FleetError, StoreUnavailable
from fleet.models.viewer import Viewer
from fleet.store import Store
from fleet.store.asks import Delivered
from fleet.store.frames import Frame
from fleet.store.notifications import Heard, Notifications

_log = structlog.get_logger(__name__)

_RENEWAL_SECONDS = keys.VIEWER_LEASE_SECONDS / 3
# Redis is asked by these; the loop itself never waits for it.
_STORE_THREADS = 4
_LISTENING_SECONDS = 5.0
# More than a connection takes to say goodbye.
_GOODBYE_SECONDS = 4.0

T = TypeVar("T")


class ViewerHub:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._watched: dict[str, WatchedSession] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(_STORE_THREADS, thread_name_prefix="viewers")
        # One alone, so that channels are taken and left in the order in which that was wanted.
        self._listening = ThreadPoolExecutor(1, thread_name_prefix="viewers-listen")
        self._input = ViewerInput(store, self._ask)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._look_now: asyncio.Event
        self._notifications = Notifications(store.client, {}, on_gap=lambda: self._in_loop(self._look_now.set))

    @property
    def count(self) -> int:
        """Viewers of this process."""
        return len(self._serving)

    def add(self, viewer: Viewer, taken: TakenSocket, handshake: Response, *, read_only: bool) -> None:
        """Serves a viewer who has joined; when it has left, its lease is given back. From any thread."""
        self._ensure_started()

        def begin() -> None:
            mailbox = Mailbox(max_fps=viewer.frames.max_fps if viewer.frames else 1)
            seat = Seat(viewer, Connection(taken.socket, handshake, mailbox), read_only=read_only)
            self._serving.add(task := asyncio.create_task(self._serve(seat)))
            task.add_done_callback(self._serving.discard)

        self._loop.call_soon_threadsafe(begin)

    def stop(self) -> None:
        """The API ends: every viewer is told so. Returns at once; for signal handlers."""
        if self._thread is not None:
            self._in_loop(self._stop.set)

    def wait_until_stopped(self) -> None:
        if self._thread is not None:
            self._thread.join(_GOODBYE_SECONDS)

    def _ensure_started(self) -> None:
        # Not in the constructor: gunicorn may fork after it, and threads do not survive a fork.
        with self._starting:
            if self._thread is None:
                ready = threading.Event()
                thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), name="viewers", daemon=True)
                thread.start()
                ready.wait()
                self._thread = thread

    async def _run(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._look_now = asyncio.Event(), asyncio.Event()
        ready.set()
        self._notifications.start()
        looking = asyncio.create_task(self._keep_looking())
        await self._stop.wait()
        looking.cancel()
        for watched in self._watched.values():
            for seat in watched.seats:
                seat.connection.close(GOING_AWAY, "The API stops.")
        if self._serving:
            await asyncio.wait(self._serving, timeout=_GOODBYE_SECONDS)
        await asyncio.to_thread(self._notifications.stop)

    def _in_loop(self, work: Callable[..., Any], *args: Any) -> None:
        # The listening thread outlives the loop for a moment.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(work, *args)

    async def _ask(self, question: Callable[..., T], *args: Any) -> T:
        return await self._loop.run_in_executor(self._threads, question, *args)

    async def _serve(self, seat: Seat) -> None:
        session_id = seat.viewer.session_id
        watched = self._watched.setdefault(session_id, WatchedSession())
        watched.seats.add(seat)
        if self._stop.is_set():
            seat.connection.close(GOING_AWAY, "The API stops.")
        try:
            await self._listen_for(seat, watched)
            await seat.connection.serve(
                on_text=lambda text: self._input.take(seat, text),
                on_delivered=lambda picture: self._on_delivered(session_id, picture),
            )
        except OSError:
            # Gone before it was answered.
            pass
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("viewer failed by a defect", session=session_id)
        finally:
            seat.connection.abort()
            watched.seats.discard(seat)
            if not watched.seats:
                self._forget(session_id, watched)
            with contextlib.suppress(StoreUnavailable):
                # Else its lease runs out.
                await self._ask(self._store.viewers.leave, seat.viewer)

    async def _listen_for(self, seat: Seat, watched: WatchedSession) -> None:
        """Before it is answered, so that it misses nothing of what it brings about from then on."""
        session_id = seat.viewer.session_id
        await self._listen(session_id, watched, keys.session_news(session_id), self._end_listener(session_id))
        expiry = keys.session_expiry(self._store.database, session_id)
        await self._listen(session_id, watched, expiry, self._end_listener(session_id))
        await self._listen(session_id, watched, keys.session_events(session_id), self._event_listener(session_id))
        if seat.viewer.frames is not None:
            frames = keys.session_frames(session_id)
            await self._listen(session_id, watched, frames, self._frame_listener(session_id))
            if watched.picture is not None:
                seat.connection.mailbox.put_picture(watched.picture)

    async def _listen(self, session_id: str, watched: WatchedSession, channel: str, heard: Heard) -> None:
        if channel not in watched.channels:
            watched.channels[channel] = asyncio.Event()

            def on_open() -> None:
                self._in_loop(self._on_open, session_id, channel)

            self._listening.submit(self._notifications.listen, channel, heard, on_open=on_open)
        # While Redis is away, the viewer hears when it is back.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LISTENING_SECONDS):
                await watched.channels[channel].wait()

    def _forget(self, session_id: str, watched: WatchedSession) -> None:
        if self._watched.get(session_id) is watched:
            del self._watched[session_id]
            for channel in watched.channels:
                self._listening.submit(self._notifications.forget, channel)

    def _on_open(self, session_id: str, channel: str) -> None:
        watched = self._watched.get(session_id)
        if watched is None or channel not in watched.channels:
            return
        watched.channels[channel].set()
        if channel == keys.session_frames(session_id):
            # What was painted before somebody listened here.
            watched.keep(asyncio.create_task(self._fetch_newest(session_id)))

    async def _fetch_newest(self, session_id: str) -> None:
        with contextlib.suppress(FleetError):
            frame = await self._ask(self._store.frames.newest, session_id)
            if frame is not None:
                self._on_picture(session_id, _picture(frame))

    def _end_listener(self, session_id: str) -> Heard:
        def heard(word: str) -> None:
            if word in {keys.NEWS_ENDED, keys.EXPIRED}:
                self._in_loop(self._on_end, session_id)

        return heard

    def _event_listener(self, session_id: str) -> Heard:
        return lambda message: self._in_loop(self._on_event, session_id, message)

    def _frame_listener(self, session_id: str) -> Heard:
        return lambda message: self._in_loop(self._on_picture, session_id, _picture(Frame.decode(message)))

    def _on_event(self, session_id: str, message: str) -> None:
        if watched := self._watched.get(session_id):
            watched.tell(message)

    def _on_picture(self, session_id: str, picture: Picture) -> None:
        if watched := self._watched.get(session_id):
            watched.show(picture)

    def _on_delivered(self, session_id: str, picture: Picture) -> None:
        """The first viewer has it; others follow at their own pace."""
        watched = self._watched.get(session_id)
        if watched is not None and picture.number > watched.delivered:
            watched.delivered = picture.number
            self._threads.submit(self._tell_delivered, session_id, picture.number)

    def _tell_delivered(self, session_id: str, number: int) -> None:
        # The host does not wait for it for ever.
        with contextlib.suppress(StoreUnavailable):
            self._store.asks.send(session_id, Delivered(frame=number))

    def _on_end(self, session_id: str) -> None:
        if watched := self._watched.get(session_id):
            watched.keep(asyncio.create_task(self._end_if_over([session_id])))

    async def _keep_looking(self) -> None:
        """Renews the leases, and finds sessions whose end was not heard of."""
        while True:
            self._look_now.clear()
            try:
                viewers = [seat.viewer for watched in self._watched.values() for seat in watched.seats]
                await self._ask(self._store.viewers.renew, viewers)
                await self._end_if_over(list(self._watched))
            except StoreUnavailable as error:
                _log.warning("viewers not renewed", cause=error.message)
            except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
                _log.exception("viewers not renewed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RENEWAL_SECONDS):
                    await self._look_now.wait()

    async def _end_if_over(self, session_ids: list[str]) -> None:
        reasons = await self._ask(self._end_reasons, session_ids)
        for session_id, reason in reasons.items():
            if watched := self._watched.get(session_id):
                watched.end(session_id, reason)

    def _end_reasons(self, session_ids: list[str]) -> dict[str, str]:
        """Of those that have ended."""
        alive = self._store.sessions.remaining(session_ids)
        endings = {one: self._store.sessions.ending(one) for one in session_ids if one not in alive}
        return {one: ending.end_reason.value if ending else "unknown" for one, ending in endings.items()}


def _picture(frame: Frame) -> Picture:
    return Picture(frame.number, frame.width, frame.height, frame.picture())
