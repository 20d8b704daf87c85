"""All that a batch yielded as one ZIP, streamed: files with readable names, `manifest.jsonl`, and a gallery to open."""

import json
import re
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

from zipstream import ZIP_DEFLATED, ZIP_STORED, ZipStream

from app.services.archive_gallery import gallery_pages
from app.services.artifacts import ArtifactService
from app.services.batches import BatchService
from fleet.errors import ArtifactNotFound
from fleet.models.artifact import Artifact
from fleet.models.batch import Batch, ItemStatus

_FOLDER = "captures"
_NAME_LENGTH = 80
_PIECE_BYTES = 256 * 1024
# Of the manifest, before it goes to a file on disk.
_IN_MEMORY_BYTES = 1024 * 1024

Json = dict[str, Any]


class BatchArchiveService:
    def __init__(self, batches: BatchService, artifacts: ArtifactService) -> None:
        self._batches = batches
        self._artifacts = artifacts

    def open(self, batch_id: str) -> Iterator[bytes]:
        """The archive piece by piece, of a batch that has not ended as far as it is. Raises BatchNotFound.

        An artifact that is gone is in the manifest, without a file. Iteration raises StorageUnavailable, so that nobody
        takes half an archive for a whole one.
        """
        return self._stream(self._batches.get(batch_id))

    def _stream(self, batch: Batch) -> Iterator[bytes]:
        archive = ZipStream(compress_type=ZIP_STORED)
        with SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+", encoding="utf-8") as manifest:
            for item in self._batches.all_items(batch):
                line = _line(item)
                yield from self._files(archive, batch, item, line)
                manifest.write(json.dumps(line, ensure_ascii=False) + "\n")
            yield from _text(archive, "manifest.jsonl", _pieces(manifest))
            for name, page in gallery_pages(batch, lambda: _read_lines(manifest)):
                yield from _text(archive, name, page)
        yield from archive.finalize()

    def _files(self, archive: ZipStream, batch: Batch, item: ItemStatus, line: Json) -> Iterator[bytes]:
        names = file_names(item, batch.counts.total)
        for artifact, name, entry in zip(item.artifacts, names, line["artifacts"], strict=True):
            try:
                _, stream = self._artifacts.open(artifact.id)
            except ArtifactNotFound:
                continue
            entry["file"] = name
            with stream:
                compression = ZIP_DEFLATED if artifact.media_type.startswith("text/") else ZIP_STORED
                archive.add(_read(stream), name, size=artifact.bytes, compress_type=compression)
                yield from archive.all_files()


def file_names(item: ItemStatus, total: int) -> list[str]:
    """`captures/0007-a.example-docs.png`, one for each artifact, told apart by a number where two would be the same."""
    width = max(4, len(str(total)))
    stem = f"{_FOLDER}/{item.index + 1:0{width}d}-{_slug(item.id or _address(item.url))}"
    names: list[str] = []
    for artifact in item.artifacts:
        earlier = sum(name.endswith(f".{artifact.extension}") for name in names)
        names.append(f"{stem}{f'-{earlier + 1}' if earlier else ''}.{artifact.extension}")
    return names


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}{'-' if parts.query else ''}{parts.query}"


def _slug(text: str) -> str:
    """Letters, digits and what every file system takes."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:_NAME_LENGTH].strip("-.") or "page"


def _line(item: ItemStatus) -> Json:
    """Of the manifest. `file`: where it is in the archive; null: it had expired."""
    line = item.model_dump(mode="json")
    line["artifacts"] = [_entry(artifact) for artifact in item.artifacts]
    return line


def _entry(artifact: Artifact) -> Json:
    return {"file": None, **artifact.model_dump(mode="json", exclude={"url"})}


def _text(archive: ZipStream, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    archive.add(pieces, name, compress_type=ZIP_DEFLATED)
    yield from archive.all_files()


def _read(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _pieces(manifest: IO[str]) -> Iterator[bytes]:
    manifest.seek(0)
    while piece := manifest.read(_PIECE_BYTES):
        yield piece.encode()


def _read_lines(manifest: IO[str]) -> Iterator[Json]:
    manifest.seek(0)
    for line in manifest:
        yield json.loads(line)
