"""One thread that hears what Redis publishes. It survives a Redis that goes away and comes back."""

import random
import threading
from collections.abc import Callable, Mapping

from redis.client import PubSub

from fleet.errors import StoreUnavailable
from fleet.store.connection import RedisClient, translated_errors

_POLL_SECONDS = 1.0
_BACKOFF_CAP_SECONDS = 5.0

Heard = Callable[[str], None]


class Notifications:
    def __init__(self, client: RedisClient, channels: Mapping[str, Heard], *, on_gap: Callable[[], None]) -> None:
        """`channels`: what to call with each message, in the listening thread.

        `on_gap` is called after each (re)connection: messages may have been missed before it.
        """
        self._client = client
        self._channels = channels
        self._on_gap = on_gap
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended, after at most two polls."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * _POLL_SECONDS)

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
        pubsub: PubSub = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        with translated_errors(), pubsub:
            pubsub.subscribe(*self._channels)
            self._on_gap()
            while not self._stopping.is_set():
                message = pubsub.get_message(timeout=_POLL_SECONDS)
                if message is not None:
                    self._channels[message["channel"]](message["data"])
