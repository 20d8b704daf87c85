"""The Celery parent watches its browser host: one that has ended, or hangs, is replaced."""

import time
from typing import Any

import structlog
from celery.platforms import EX_FAILURE
from celery.worker import state

from fleet.errors import StoreUnavailable
from fleet.settings import settings
from workers.hooks import host
from workers.host_process import HostKeepsEnding
from workers.regular_look import RegularLook

_log = structlog.get_logger(__name__)

# Beyond a start of Chrome that takes its longest.
_FIRST_LEASE_SECONDS = 60.0
# Of FLEET_HEALTH_SECONDS, beyond the time of the lease itself.
_HEALTH_ROUNDS = 2


class HostEndWatch(RegularLook):
    seconds = 0.5

    def look(self, consumer: Any) -> None:  # noqa: ARG002  # the base class's signature
        try:
            host().replace_if_ended()
        except HostKeepsEnding as error:
            _log.critical("worker gives up", cause=str(error))
            state.should_stop = EX_FAILURE


class HostHangWatch(RegularLook):
    seconds = 5.0

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._patience = settings().health_seconds * _HEALTH_ROUNDS
        self._leased_at = self._looked_at = time.monotonic()
        # The host that has had a lease; another one is still starting.
        self._leased_pid: int | None = None

    def start(self, consumer: Any) -> None:
        self._leased_at = self._looked_at = time.monotonic()
        super().start(consumer)

    def look(self, consumer: Any) -> None:
        if self._stood_still():
            return
        try:
            has_lease = self.store.workers.report(consumer.hostname) is not None
        except StoreUnavailable:
            has_lease = True
        now, pid = time.monotonic(), host().pid
        if has_lease:
            self._leased_at, self._leased_pid = now, pid
        elif now - self._leased_at > (self._patience if pid == self._leased_pid else _FIRST_LEASE_SECONDS):
            _log.error("browser host hangs: it does not renew its lease", pid=pid)
            self._leased_at = now
            host().kill_hung()

    def _stood_still(self) -> bool:
        """The parent itself did, perhaps with its whole machine: then the host gets its time anew."""
        now, before = time.monotonic(), self._looked_at
        self._looked_at = now
        if now - before < 2 * self.seconds:
            return False
        self._leased_at = now
        return True
