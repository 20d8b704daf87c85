"""The Celery parent watches its browser host: one that has ended, or hangs, is replaced."""

import time
from typing import Any

import structlog
from celery import bootsteps
from celery.platforms import EX_FAILURE
from celery.worker import state

from fleet.errors import StoreUnavailable
from fleet.settings import settings
from fleet.store import open_store
from workers.hooks import host
from workers.host_process import HostKeepsEnding

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.5
_LEASE_LOOK_SECONDS = 5.0
# Between two looks: nothing that the parent does takes so long.
_STOOD_STILL_SECONDS = 2 * _LEASE_LOOK_SECONDS
# Beyond a start of Chrome that takes its longest.
_FIRST_LEASE_SECONDS = 60.0
# Of FLEET_HEALTH_SECONDS, beyond the time of the lease itself.
_HEALTH_ROUNDS = 2


class HostWatch(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery publishes no types
    """By the consumer's own timer, so that no thread is needed in a process that forks."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._workers = open_store(settings(), retries=0).workers
        self._patience = settings().health_seconds * _HEALTH_ROUNDS
        self._leased_at = time.monotonic()
        # The host that has had a lease; another one is still starting.
        self._leased_pid: int | None = None
        self._looked_at = time.monotonic()
        self._timers: list[Any] = []

    def start(self, consumer: Any) -> None:
        self._leased_at = self._looked_at = time.monotonic()
        self._timers = [
            consumer.timer.call_repeatedly(_LOOK_SECONDS, self._replace_if_ended),
            consumer.timer.call_repeatedly(_LEASE_LOOK_SECONDS, self._kill_if_hung, (consumer.hostname,)),
        ]

    def stop(self, consumer: Any) -> None:  # noqa: ARG002  # Celery hands it over
        for timer in self._timers:
            timer.cancel()

    def _replace_if_ended(self) -> None:
        try:
            host().replace_if_ended()
        except HostKeepsEnding as error:
            _log.critical("worker gives up", cause=str(error))
            state.should_stop = EX_FAILURE

    def _kill_if_hung(self, name: str) -> None:
        if self._stood_still():
            return
        try:
            has_lease = self._workers.report(name) is not None
        except StoreUnavailable:
            has_lease = True
        now, pid = time.monotonic(), host().pid
        if has_lease:
            self._leased_at, self._leased_pid = now, pid
        elif now - self._leased_at > (self._patience if pid == self._leased_pid else _FIRST_LEASE_SECONDS):
            _log.error("browser host hangs: it does not renew its lease", pid=pid)
            self._leased_at = now
            host().kill()

    def _stood_still(self) -> bool:
        """The parent itself did, perhaps with its whole machine: then the host gets its time anew."""
        now, before = time.monotonic(), self._looked_at
        self._looked_at = now
        if now - before < _STOOD_STILL_SECONDS:
            return False
        self._leased_at = now
        return True
