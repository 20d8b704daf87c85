"""The workers that are alive, and the way to empty one."""

from fleet.errors import WorkerNotFound
from fleet.models.worker import WorkerReport
from fleet.store.workers import WorkerStore


class WorkerService:
    def __init__(self, workers: WorkerStore) -> None:
        self._workers = workers

    def all(self) -> list[WorkerReport]:
        return sorted(self._workers.alive(), key=lambda report: report.name)

    def drain(self, name: str) -> WorkerReport:
        """It takes no more work and gives its sessions to others, until it is started anew. Raises WorkerNotFound."""
        report = self._workers.report(name)
        if report is None:
            raise WorkerNotFound(f"No worker '{name[:200]}' is alive. GET /api/workers lists those that are.")
        self._workers.ask_to_drain(name)
        return report.model_copy(update={"draining": True, "admits_sessions": False})
