"""Whether this worker can write artifacts now: tried regularly, so that it is known before a capture fails of it."""

import asyncio

import structlog

from fleet.artifacts.storage import ArtifactStorage
from fleet.errors import StorageUnavailable

_log = structlog.get_logger(__name__)


class StorageWatch:
    def __init__(self, storage: ArtifactStorage) -> None:
        self._storage = storage
        # Why the last try failed; None: it did not.
        self.failure: str | None = None

    async def look(self) -> None:
        before, self.failure = self.failure, await asyncio.to_thread(self._try)
        if self.failure and not before:
            _log.error("artifacts cannot be written", cause=self.failure)
        elif before and not self.failure:
            _log.info("artifacts can be written again")

    def _try(self) -> str | None:
        try:
            self._storage.check()
        except StorageUnavailable as error:
            return str(error.details["reason"])
        return None
