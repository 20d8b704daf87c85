"""One thread that hears what Redis publishes. It survives a Redis that goes away and comes back."""

import contextlib
import random
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from redis.client import PubSub

from fleet import keys
from fleet.errors import StoreUnavailable
from fleet.ids import new_id
from fleet.store.connection import RedisClient, translated_errors

_POLL_SECONDS = 1.0
_BACKOFF_CAP_SECONDS = 5.0

Heard = Callable[[str], None]


def _nothing() -> None:
    pass


def _ignore(_: str) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Channel:
    """`heard`: called with each message. `on_open`: when messages come, once more after each reconnection. Both in the
    listening thread.
    """

    heard: Heard
    on_open: Callable[[], None] = _nothing


class _Subscriptions(PubSub):
    """redis-py connects again by itself, takes up its channels again, and says nothing of what came in between."""

    was_cut = False

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)
        self.was_cut = True


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
        # Never changed, only replaced: whoever holds the same one has nothing to follow.
        self._channels = {
            self._wake: Channel(_ignore),
            **{name: Channel(heard) for name, heard in channels.items()},
        }

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended, after at most two polls."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * _POLL_SECONDS)

    def listen(self, channel: str, heard: Heard, *, on_open: Callable[[], None] = _nothing) -> None:
        """From now on to this channel too."""
        self.exchange({channel: Channel(heard, on_open)}, ())

    def forget(self, channel: str) -> None:
        self.exchange({}, {channel})

    def exchange(self, new: Mapping[str, Channel], old: Collection[str]) -> None:
        """From now on to the new channels too, and to the old ones no more."""
        with self._lock:
            self._channels = {**{name: one for name, one in self._channels.items() if name not in old}, **new}
        self._tell_thread()

    def _tell_thread(self) -> None:
        if not self._thread.is_alive():
            return
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
        pubsub = _Subscriptions(self._client.connection_pool)
        with translated_errors(), pubsub:
            subscribed = self._follow(pubsub, {})
            self._on_gap()
            while not self._stopping.is_set():
                message = pubsub.get_message(timeout=_POLL_SECONDS)
                if message is not None:
                    self._hand_on(message)
                if pubsub.was_cut:
                    pubsub.was_cut = False
                    self._on_gap()
                subscribed = self._follow(pubsub, subscribed)

    def _follow(self, pubsub: PubSub, subscribed: dict[str, Channel]) -> dict[str, Channel]:
        """What it is subscribed to now."""
        wanted = self._channels
        if wanted is subscribed:
            return subscribed
        # One that was forgotten and is wanted again is told anew that it is open.
        if new := [name for name, channel in wanted.items() if subscribed.get(name) is not channel]:
            pubsub.subscribe(*new)
        if old := subscribed.keys() - wanted.keys():
            pubsub.unsubscribe(*old)
        return wanted

    def _hand_on(self, message: dict[str, str]) -> None:
        channel = self._channels.get(message["channel"])
        if channel is None:
            return
        if message["type"] == "subscribe":
            channel.on_open()
        elif message["type"] == "message":
            channel.heard(message["data"])
