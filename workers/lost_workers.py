"""Each worker looks for others that are lost; one of them hands over what the lost one held."""

import random
import time
from typing import Any

import structlog
from celery import bootsteps
from kombu.exceptions import OperationalError

from fleet.errors import StoreUnavailable
from fleet.models.session import EndReason
from fleet.settings import settings
from fleet.store import open_store
from workers.estate import Estate

_log = structlog.get_logger(__name__)

# A lease runs for 15 s, so a lost worker is noticed after 15 to 21 s.
_LOOK_SECONDS = (4.0, 6.0)
# After Redis was away for longer than a lease, all leases have run out: workers get this long to renew theirs.
_TRUST_AFTER_SECONDS = 10.0


class LostWorkers(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery publishes no types
    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._store = open_store(settings(), retries=0)
        self._timer: Any = None
        self._trusts_from = 0.0

    def start(self, consumer: Any) -> None:
        """Also after each loss of the broker."""
        self._distrust()
        self._timer = consumer.timer.call_repeatedly(random.uniform(*_LOOK_SECONDS), self._look, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery hands it over
        if self._timer is not None:
            self._timer.cancel()

    def _distrust(self) -> None:
        self._trusts_from = time.monotonic() + _TRUST_AFTER_SECONDS

    def _look(self, consumer: Any) -> None:
        try:
            lost = self._store.workers.lost()
            if time.monotonic() < self._trusts_from:
                return
            for name in lost:
                # Its own lease may have run out, because its host is being replaced.
                if name != consumer.hostname and self._store.workers.claim_estate(name):
                    _log.error("worker lost", lost=name)
                    Estate(consumer.app, self._store, name).hand_over(EndReason.WORKER_LOST)
        except (StoreUnavailable, OperationalError) as error:
            self._distrust()
            _log.warning("what a lost worker held is not handed over yet", cause=str(error))
