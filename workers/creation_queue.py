"""A worker without a free slot or memory to spare leaves the queue of creations, and comes back when it has room.

Creations then wait in Redis, where another worker can take them, and where they outlast a restart.
"""

from typing import Any

import structlog

from fleet.errors import StoreUnavailable
from fleet.queues import SESSIONS_QUEUE
from workers.regular_look import RegularLook

_log = structlog.get_logger(__name__)


class CreationQueue(RegularLook):
    seconds = 0.5

    def look(self, consumer: Any) -> None:
        try:
            has_room = self.store.room.is_there(consumer.hostname)
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
