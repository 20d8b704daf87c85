"""Outputs become artifacts: measured, stored, recorded."""

import hashlib
import io
from datetime import timedelta
from typing import Any

from PIL import Image
from pypdf import PdfReader

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.artifact import Artifact, StoredArtifact
from fleet.store.artifacts import ArtifactRecordStore


class ArtifactWriter:
    def __init__(self, records: ArtifactRecordStore, storage: ArtifactStorage, *, ttl: timedelta) -> None:
        self._records = records
        self._storage = storage
        self._ttl = ttl

    def write(self, output: dict[str, Any]) -> Artifact:
        """`output`: kind, media_type, content (bytes). Raises StorageUnavailable."""
        content: bytes = output["content"]
        artifact = Artifact(
            id=new_id("art"),
            kind=output["kind"],
            media_type=output["media_type"],
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            expires_at=utc_now() + self._ttl,
            **_measures(output["kind"], content),
        )
        location = self._storage.put(
            content, sha256=artifact.sha256, media_type=artifact.media_type, expires_at=artifact.expires_at
        )
        self._records.put(StoredArtifact(artifact=artifact, location=location))
        return artifact


def _measures(kind: str, content: bytes) -> dict[str, int]:
    match kind:
        case "screenshot":
            # Only the header is read.
            with Image.open(io.BytesIO(content)) as picture:
                return {"width": picture.width, "height": picture.height}
        case "pdf":
            return {"pages": len(PdfReader(io.BytesIO(content)).pages)}
        case _:
            return {}
