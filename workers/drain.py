"""A worker that is asked to drain takes no captures, and gives its sessions away as its host closes them."""

from typing import Any

import structlog
from celery import bootsteps

from fleet.errors import StoreUnavailable
from fleet.queues import CAPTURES_QUEUE
from fleet.settings import settings
from fleet.store import open_store
from workers.estate import Estate

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0


class Drain(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery publishes no types
    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._store = open_store(settings(), retries=0)
        self._estate = Estate(consumer.app, self._store, consumer.hostname)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(_LOOK_SECONDS, self._look, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery hands it over
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, consumer: Any) -> None:
        try:
            if self._store.workers.is_asked_to_drain(consumer.hostname):
                self._drain(consumer)
        except StoreUnavailable:
            # The consumer notices by itself, and connects again.
            return

    def _drain(self, consumer: Any) -> None:
        if consumer.task_consumer.consuming_from(CAPTURES_QUEUE):
            consumer.cancel_task_queue(CAPTURES_QUEUE)
            _log.info("draining", worker=consumer.hostname)
        self._estate.hand_over_drained()
