"""What a batch yielded as one WARC, streamed: for replay tools and archives."""

from collections.abc import Callable, Iterator
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

from warcio.warcwriter import WARCWriter

from app.services.artifacts import ArtifactService
from app.services.batches import BatchService
from fleet import __version__
from fleet.errors import ArtifactNotFound
from fleet.models.artifact import Artifact
from fleet.models.batch import Batch, ItemStatus

_PIECE_BYTES = 256 * 1024
# Of one record, before it goes to a file on disk.
_IN_MEMORY_BYTES = 1024 * 1024

# As Browsertrix names what shows a page without being it.
_SCHEMES = {"screenshot": "urn:view:", "pdf": "urn:pdf:"}


class BatchWarcService:
    def __init__(self, batches: BatchService, artifacts: ArtifactService) -> None:
        self._batches = batches
        self._artifacts = artifacts

    def open(self, batch_id: str) -> Iterator[bytes]:
        """Gzipped, record by record. Raises BatchNotFound; iteration raises StorageUnavailable.

        The HTML of a page is a `resource` under the page's address: it is the document as it stood when it was
        captured, and not what the server had sent. Pictures and PDFs are resources under addresses of their own.
        """
        return self._stream(self._batches.get(batch_id))

    def _stream(self, batch: Batch) -> Iterator[bytes]:
        info = {
            "software": f"capture-fleet/{__version__}",
            "format": "WARC File Format 1.1",
            "description": f"Batch {batch.id} of {batch.counts.total} pages, each as it stood when it was captured.",
        }
        name = f"{batch.id}.warc.gz"
        yield from _written(lambda writer: writer.create_warcinfo_record(name, info), batch.created_at)
        for item in self._batches.all_items(batch):
            for artifact in item.artifacts:
                yield from self._record(item, artifact)

    def _record(self, item: ItemStatus, artifact: Artifact) -> Iterator[bytes]:
        try:
            _, stream = self._artifacts.open(artifact.id)
        except ArtifactNotFound:
            return
        address = f"{_SCHEMES.get(artifact.kind, '')}{item.final_url or item.url}"
        with stream:
            yield from _written(lambda writer: _resource(writer, address, artifact, stream), item.finished_at)


def _resource(writer: WARCWriter, address: str, artifact: Artifact, stream: BinaryIO) -> Any:
    return writer.create_warc_record(
        address, "resource", payload=stream, length=artifact.bytes, warc_content_type=artifact.media_type
    )


def _written(make: Callable[[WARCWriter], Any], moment: datetime | None) -> Iterator[bytes]:
    """The record that `make` makes, packed by itself, so that readers can begin with any. `moment`: of its capture."""
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        writer = WARCWriter(file, gzip=True, warc_version="1.1")
        record = make(writer)
        if moment is not None:
            record.rec_headers.replace_header("WARC-Date", moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
        writer.write_record(record)
        file.seek(0)
        while piece := file.read(_PIECE_BYTES):
            yield piece
