"""The seam to artifact storage, and the choice of one by URL."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from fleet.artifacts.local_folder import LocalFolder
from fleet.artifacts.s3_bucket import S3Bucket


class ArtifactStorage(Protocol):
    """Every call raises StorageUnavailable if the storage does not take or give bytes.

    A process that has used one must not be forked: connections and threads belong to the process that opened them.
    """

    def put(self, content: bytes, *, sha256: str, media_type: str, expires_at: datetime) -> str:
        """Stores all of it or nothing, and what is there already not again; returns the location."""

    def open(self, location: str) -> BinaryIO | None:
        """A seekable stream of the bytes, to be closed by the caller; None if they are gone."""

    def link(self, location: str, *, valid_for: timedelta) -> str | None:
        """A URL that gives whoever has it the bytes; None: this storage has no such links."""

    def sweep(self, now: datetime) -> int:
        """Removes a part of what has expired; how many entries went, 0: nothing is left to remove."""

    def check(self) -> None:
        """Writes a little."""


def open_storage(url: str) -> ArtifactStorage:
    """`file:PATH`, relative or absolute; `file:///PATH` too; `s3://BUCKET/PREFIX`. Settings has checked it."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return S3Bucket(parts.netloc, parts.path.strip("/"))
    path = url.removeprefix("file:")
    return LocalFolder(Path(path.removeprefix("//") if path.startswith("///") else path))
