"""One thread that hears what Redis publishes. It survives a Redis that goes away and comes back."""

import contextlib
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redis.client import PubSub

from fleet import keys
from fleet.errors import StoreUnavailable
from fleet.ids import new_id
from fleet.store.connection import RedisClient, translated_errors

_POLL_SECONDS = 1.0
_BACKOFF_CAP_SECONDS = 5.0

Heard = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Channel:
    heard: Heard
    on_open: Callable[[], None]


class Notifications:
    def __init__(self, client: RedisClient, channels: Mapping[str, Heard], *, on_gap: Callable[[], None]) -> None:
        """`channels`: what to call with each message, in the listening thread.

        `on_gap` is called after each (re)connection: messages may have been missed before it.
        """
        self._client = client
        self._on_gap = on_gap
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
        # Only the listening thread speaks on its connection; others say here what they want, and wake it.
        self._lock = threading.Lock()
        self._wake = keys.wake_up(new_id("wak"))
        self._channels = {name: _Channel(heard, _nothing) for name, heard in channels.items()}
        self._channels[self._wake] = _Channel(_ignore, _nothing)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended, after at most two polls."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * _POLL_SECONDS)

    def listen(self, channel: str, heard: Heard, *, on_open: Callable[[], None] | None = None) -> None:
        """From now on to this channel too. `on_open` is called when messages come, in the listening thread; once more
        after each reconnection.
        """
        with self._lock:
            self._channels[channel] = _Channel(heard, on_open or _nothing)
        self._tell_thread()

    def forget(self, channel: str) -> None:
        with self._lock:
            self._channels.pop(channel, None)
        self._tell_thread()

    def _tell_thread(self) -> None:
        # Without it, the thread looks after its poll, or when it has connected again.
        with contextlib.suppress(StoreUnavailable):
            self._client.publish(self._wake, "")

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._listen()
                failures = 0
            except StoreUnavailable:
                failures = min(failures + 1, 6)
                self._stopping.wait(min(_BACKOFF_CAP_SECONDS, 0.1 * 2**failures) * random.uniform(0.5, 1))

    def _listen(self) -> None:
        pubsub: PubSub = self._client.pubsub()  # type: ignore[no-untyped-call]
        subscribed: dict[str, _Channel] = {}
        with translated_errors(), pubsub:
            self._follow(pubsub, subscribed)
            self._on_gap()
            while not self._stopping.is_set():
                message = pubsub.get_message(timeout=_POLL_SECONDS)
                if message is not None:
                    self._hand_on(message)
                self._follow(pubsub, subscribed)

    def _follow(self, pubsub: PubSub, subscribed: dict[str, _Channel]) -> None:
        with self._lock:
            wanted = dict(self._channels)
        # One that was forgotten and is wanted again is told anew that it is open.
        if new := [name for name, channel in wanted.items() if subscribed.get(name) is not channel]:
            pubsub.subscribe(*new)
        if old := subscribed.keys() - wanted.keys():
            pubsub.unsubscribe(*old)
        subscribed.clear()
        subscribed |= wanted

    def _hand_on(self, message: dict[str, str]) -> None:
        with self._lock:
            channel = self._channels.get(message["channel"])
        if channel is None:
            return
        if message["type"] == "subscribe":
            channel.on_open()
        elif message["type"] == "message":
            channel.heard(message["data"])


def _nothing() -> None:
    pass


def _ignore(_: str) -> None:
    pass
