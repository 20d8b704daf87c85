"""A worker that is asked to drain takes no captures, and gives its sessions away as its host closes them."""

from typing import Any

import structlog

from fleet.errors import StoreUnavailable
from fleet.queues import CAPTURES_QUEUE
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
        if consumer.task_consumer.consuming_from(CAPTURES_QUEUE):
            consumer.cancel_task_queue(CAPTURES_QUEUE)
            _log.info("draining", worker=consumer.hostname)
        Estate(consumer.app, self.store, consumer.hostname).hand_over_drained()
