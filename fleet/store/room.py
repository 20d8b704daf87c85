"""Whether a worker may take a session: it has a free slot, and memory to spare by its own last word."""

from datetime import datetime

from fleet.store.slots import SlotStore
from fleet.store.workers import WorkerStore


class Room:
    def __init__(self, slots: SlotStore, workers: WorkerStore) -> None:
        self._slots = slots
        self._workers = workers

    def is_there(self, worker: str) -> bool:
        return self._workers.admits_sessions(worker) and self._slots.has_room(worker)

    def try_claim(self, worker: str, session_id: str, until: datetime) -> bool:
        """Takes a slot, or renews the one that the session has. False: the worker may take no session now."""
        return self._workers.admits_sessions(worker) and self._slots.try_claim(worker, session_id, until)
