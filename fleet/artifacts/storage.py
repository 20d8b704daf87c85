"""The seam to artifact storage, and the choice of one by URL."""

from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from fleet.artifacts.local_folder import LocalFolder


class ArtifactStorage(Protocol):
    """Every call raises StorageUnavailable if the storage does not take or give bytes."""

    def put(self, artifact_id: str, content: bytes, *, expires_at: datetime) -> str:
        """Stores all of it or nothing; returns the location."""

    def open(self, location: str) -> BinaryIO | None:
        """A seekable stream of the bytes, to be closed by the caller; None if they are gone."""

    def sweep(self, now: datetime) -> int:
        """Removes what has expired; how many folders or prefixes went."""


def open_storage(url: str) -> ArtifactStorage:
    """`file:PATH`, relative or absolute; `file:///PATH` too. Settings has checked the scheme."""
    path = url.removeprefix("file:")
    return LocalFolder(Path(path.removeprefix("//") if path.startswith("///") else path))
