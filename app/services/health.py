"""Readiness: each check belongs to what it checks; all are asked, none ends the others."""

from collections.abc import Callable, Mapping

from fleet.alerts import STORAGE_DOWN
from fleet.errors import FleetError, NoWorkers, StorageUnavailable
from fleet.store import Store

Check = Callable[[], None]


class HealthService:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._checks: Mapping[str, Check] = {
            "redis": self._redis,
            "workers": self._workers,
            "storage": self._artifact_storage,
        }

    def failing(self) -> dict[str, str]:
        """Name and reason of each check that fails; empty: ready."""
        failing = {}
        for name, check in self._checks.items():
            try:
                check()
            except FleetError as error:
                failing[name] = error.message
        return failing

    def names(self) -> list[str]:
        return list(self._checks)

    def _redis(self) -> None:
        self._store.client.ping()

    def _workers(self) -> None:
        if not any(report.takes_work for report in self._store.workers.alive()):
            raise NoWorkers("No worker is alive that takes work. Start one, or look at its log.")

    def _artifact_storage(self) -> None:
        """As the workers find it, who write there; without any nothing is known of it."""
        working = [report for report in self._store.workers.alive() if report.takes_work]
        if working and not any(report.storage_up for report in working):
            message = f"No worker can write artifacts; GET /api/status says why, in the alert {STORAGE_DOWN.name}."
            raise StorageUnavailable(message)
