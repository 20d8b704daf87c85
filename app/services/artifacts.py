"""Artifacts: the record and the bytes, or the one error that says they are gone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.errors import ArtifactNotFound
from fleet.ids import is_id
from fleet.models.artifact import Artifact, StoredArtifact
from fleet.store import Store

# Long enough to begin a download, or to hand the link on; whoever has it needs nothing else.
_LINK_LIFE = timedelta(minutes=15)


@dataclass(frozen=True)
class ArtifactLink:
    """`url`: absolute if the storage itself gives the bytes, else the path under the API's own address."""

    url: str
    expires_at: datetime


class ArtifactService:
    def __init__(self, store: Store, storage: ArtifactStorage) -> None:
        self._store = store
        self._storage = storage

    def open(self, artifact_id: str) -> tuple[Artifact, BinaryIO]:
        """The caller closes the stream. Raises ArtifactNotFound or StorageUnavailable."""
        stored = self._stored(artifact_id)
        stream = self._storage.open(stored.location)
        if stream is None:
            raise _not_found(artifact_id)
        return stored.artifact, stream

    def link(self, artifact_id: str) -> ArtifactLink:
        """Raises ArtifactNotFound or StorageUnavailable."""
        stored = self._stored(artifact_id)
        now, ends = utc_now(), stored.artifact.expires_at
        valid_for = timedelta(seconds=max(1, int(min(_LINK_LIFE, ends - now).total_seconds())))
        url = self._storage.link(stored.location, valid_for=valid_for)
        return ArtifactLink(url, now + valid_for) if url else ArtifactLink(stored.artifact.url, ends)

    def _stored(self, artifact_id: str) -> StoredArtifact:
        stored = self._store.artifacts.get(artifact_id) if is_id(artifact_id, "art") else None
        if stored is None:
            raise _not_found(artifact_id)
        return stored


def _not_found(artifact_id: str) -> ArtifactNotFound:
    return ArtifactNotFound(f"There is no artifact '{artifact_id[:64]}', or it has expired.")
