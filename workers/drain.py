"""A worker that is asked to drain takes no captures, and gives its sessions away as its host closes them."""

from typing import Any

import structlog

from fleet.errors import StoreUnavailable
from fleet.queues import CAPTURE_QUEUES
from workers.estate import Estate
from workers.regular_look import RegularLook

_log = structlog.get_logger(__name__)


class Drain(RegularLook):
    seconds = 1.0

    def look(self, consumer: Any) -> None:
        try:
            if self.store.workers.is_asked_to_drain(consumer.hostname):
                self._drain(consumer)
        except StoreUnavailable:
            # The consumer notices by itself, and connects again.
            return

    def _drain(self, consumer: Any) -> None:
        taken = [queue for queue in CAPTURE_QUEUES if consumer.task_consumer.consuming_from(queue)]
        for queue in taken:
            consumer.cancel_task_queue(queue)
        if taken:
            _log.info("draining", worker=consumer.hostname)
        Estate(consumer.app, self.store, consumer.hostname).hand_over_drained()
