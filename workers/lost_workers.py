"""Each worker looks for others that are lost; one of them hands over what the lost one held."""

import random
import time
from typing import Any

import structlog
from kombu.exceptions import OperationalError

from fleet.errors import StoreUnavailable
from fleet.models.session import EndReason
from workers.estate import Estate
from workers.hooks import counts
from workers.regular_look import RegularLook

_log = structlog.get_logger(__name__)

# After Redis was away for longer than a lease, all leases have run out: workers get this long to renew theirs.
_TRUST_AFTER_SECONDS = 10.0


class LostWorkers(RegularLook):
    # A lease runs for 15 s, so a lost worker is noticed after 15 to 21 s. Not all workers look at once.
    seconds = random.uniform(4.0, 6.0)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._trusts_from = 0.0

    def start(self, consumer: Any) -> None:
        self._distrust()
        super().start(consumer)

    def _distrust(self) -> None:
        self._trusts_from = time.monotonic() + _TRUST_AFTER_SECONDS

    def look(self, consumer: Any) -> None:
        try:
            lost = self.store.workers.lost()
            if time.monotonic() < self._trusts_from:
                return
            for name in lost:
                # Its own lease may have run out, because its host is being replaced.
                if name != consumer.hostname and self.store.workers.claim_estate(name):
                    _log.error("worker lost", lost=name)
                    counts().workers_lost.inc()
                    Estate(consumer.app, self.store, name).hand_over(EndReason.WORKER_LOST)
        except (StoreUnavailable, OperationalError) as error:
            self._distrust()
            _log.warning("what a lost worker held is not handed over yet", cause=str(error))
