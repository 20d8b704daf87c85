"""Queues of messages, as Estate and the API need them of Celery and its broker."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from celery.utils.nodenames import worker_direct

from fleet.queues import SESSIONS_QUEUE
from tests.integration.store.actors import pause


@dataclass(frozen=True)
class Letter:
    """A message; it keeps its id when it comes back."""

    id: str
    queue: str
    task: str
    argument: str


def direct(worker: str) -> str:
    return str(worker_direct(worker).name)


class SmallBroker:
    def __init__(self) -> None:
        self.queues: dict[str, list[Letter]] = defaultdict(list)
        # Taken by a worker that went away without a word.
        self.unacknowledged: list[Letter] = []

    def send_task(self, task: str, *, args: list[str], queue: str, task_id: str | None = None) -> None:
        pause()
        self.give_back(Letter(task_id or str(uuid4()), queue, task, *args))

    def give_back(self, letter: Letter) -> None:
        self.queues[letter.queue].append(letter)

    @property
    def shared(self) -> list[Letter]:
        return self.queues[SESSIONS_QUEUE]

    def bring_back(self) -> None:
        """What nobody acknowledged for longer than the longest job takes."""
        for letter in self.unacknowledged:
            self.give_back(letter)
        self.unacknowledged.clear()

    # --- A kombu connection and its channel, as far as a queue is emptied ------------------

    @contextmanager
    def connection_for_write(self) -> Iterator[Self]:
        yield self

    @property
    def default_channel(self) -> Self:
        return self

    def basic_get(self, queue: str, *, no_ack: bool | None = None, **_: Any) -> "_Got | None":
        assert not no_ack
        pause()
        return _Got(self, self.queues[queue].pop(0)) if self.queues[queue] else None


class _Got:
    """A kombu message."""

    errors = None
    accept = None

    def __init__(self, broker: SmallBroker, letter: Letter) -> None:
        self._broker = broker
        self._letter = letter
        broker.unacknowledged.append(letter)

    @property
    def payload(self) -> list[Any]:
        return [[self._letter.argument], {}, {}]

    @property
    def headers(self) -> dict[str, str]:
        return {"id": self._letter.id}

    def ack(self) -> None:
        pause()
        self._broker.unacknowledged = [one for one in self._broker.unacknowledged if one is not self._letter]
