"""A stored file, and where its bytes lie."""

from datetime import datetime
from typing import Literal

from pydantic import computed_field

from fleet.models.base import Record

# Of the names of files.
_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "application/pdf": "pdf",
    "text/html": "html",
}

ArtifactKind = Literal["screenshot", "pdf", "html"]


class Artifact(Record):
    """One file in a capture's manifest. `width`, `height` in pixels, for pictures; `pages` for PDFs."""

    id: str
    kind: ArtifactKind
    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    expires_at: datetime

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know pydantic's decorator over property
    @property
    def url(self) -> str:
        """Path of the bytes under the API's own address."""
        return f"/api/artifacts/{self.id}"

    @property
    def extension(self) -> str:
        return _EXTENSIONS[self.media_type]


class StoredArtifact(Record):
    """The record behind `GET /api/artifacts/{id}`; `location` is the storage's own word."""

    artifact: Artifact
    location: str
