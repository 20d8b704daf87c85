"""A worker without a free slot or memory to spare leaves the queue of creations, and comes back when it has room.

Creations then wait in Redis, where another worker can take them, and where they outlast a restart.
"""

from typing import Any

import structlog
from celery import bootsteps

from fleet.errors import StoreUnavailable
from fleet.queues import SESSIONS_QUEUE
from fleet.settings import settings
from fleet.store import open_store

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.5


class CreationQueue(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery publishes no types
    """A step of Celery's consumer: looks for room by the consumer's own timer, so that no thread is needed."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._room = open_store(settings(), retries=0).room
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(_LOOK_SECONDS, self._follow_room, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery hands it over
        if self._timer is not None:
            self._timer.cancel()

    def _follow_room(self, consumer: Any) -> None:
        try:
            has_room = self._room.is_there(consumer.hostname)
        except StoreUnavailable:
            # The consumer notices by itself, and connects again.
            return
        if has_room == consumer.task_consumer.consuming_from(SESSIONS_QUEUE):
            return
        if has_room:
            consumer.add_task_queue(SESSIONS_QUEUE)
        else:
            consumer.cancel_task_queue(SESSIONS_QUEUE)
        _log.info("queue of creations", worker=consumer.hostname, joined=has_room)
