"""Artifacts: the record and the bytes, or the one error that says they are gone."""

from typing import BinaryIO

from fleet.artifacts.storage import ArtifactStorage
from fleet.errors import ArtifactNotFound
from fleet.ids import is_id
from fleet.models.artifact import Artifact
from fleet.store import Store


class ArtifactService:
    def __init__(self, store: Store, storage: ArtifactStorage) -> None:
        self._store = store
        self._storage = storage

    def open(self, artifact_id: str) -> tuple[Artifact, BinaryIO]:
        """The caller closes the stream. Raises ArtifactNotFound or StorageUnavailable."""
        stored = self._store.artifacts.get(artifact_id) if is_id(artifact_id, "art") else None
        stream = self._storage.open(stored.location) if stored else None
        if stored is None or stream is None:
            raise ArtifactNotFound(f"There is no artifact '{artifact_id[:64]}', or it has expired.")
        return stored.artifact, stream
