"""Removes artifacts past their time, while this worker is the one of the fleet that does."""

import asyncio

import structlog

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.store.artifacts import ArtifactRecordStore

_log = structlog.get_logger(__name__)


class ArtifactSweep:
    def __init__(self, records: ArtifactRecordStore, storage: ArtifactStorage, *, worker_name: str) -> None:
        self._records = records
        self._storage = storage
        self._name = worker_name

    async def run(self) -> None:
        """Step by step until nothing is left, so that a host that stops waits for one step at most."""
        removed = 0
        while step := await asyncio.to_thread(self._step):
            removed += step
        if removed:
            _log.info("expired artifacts removed", entries=removed)

    def _step(self) -> int:
        return self._storage.sweep(utc_now()) if self._records.claim_sweep(self._name) else 0
