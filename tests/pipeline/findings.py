"""What a batch promised, compared with what it left: its items, its artifacts, its archive."""

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fleet_client import Artifact, Batch, BatchItem
from tests.pipeline.sites import Sites

# Each capture has a picture and its HTML.
OUTPUTS = [{"kind": "screenshot"}, {"kind": "html"}]
_CODE_OF_FAILING = "connection_refused"


def of_outcomes(batch: Batch, items: list[BatchItem], urls: list[str], sites: Sites) -> Iterator[str]:
    """Each item has the one outcome that its site allows."""
    if [item.url for item in items] != urls:
        yield f"{len(items)} items are listed, not the {len(urls)} that were sent"
    if (batch.end_reason, batch.counts.succeeded + batch.counts.failed) != ("completed", len(urls)):
        yield f"the batch ended as {batch.end_reason} with {batch.counts}"
    states = Counter(item.state for item in items)
    if (states["succeeded"], states["failed"]) != (batch.counts.succeeded, batch.counts.failed):
        yield f"the items say {dict(states)}, the batch {batch.counts}"
    for item in items:
        code = item.error.code if item.error else None
        if code != (_CODE_OF_FAILING if sites.fails(item.url) else None):
            yield f"{item.url}: {item.state} {item.error}"


def of_artifacts(items: list[BatchItem]) -> Iterator[str]:
    """Each capture has its own, once."""
    for item in items:
        kinds = [artifact.kind for artifact in item.artifacts]
        if kinds != ([output["kind"] for output in OUTPUTS] if item.state == "succeeded" else []):
            yield f"{item.url} {item.state} with {kinds}"
    artifacts = [artifact for item in items for artifact in item.artifacts]
    yield from _twice("artifacts", (artifact.id for artifact in artifacts))
    yield from _twice("pages' HTML", (artifact.sha256 for artifact in artifacts if artifact.kind == "html"))


def of_archive(path: Path, items: list[BatchItem]) -> Iterator[str]:
    """All files are there, whole, and each is of its page."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            yield f"{damaged} in the archive is damaged"
        lines = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
        if [line["url"] for line in lines] != [item.url for item in items]:
            yield f"the archive's manifest has {len(lines)} lines, not one for each of {len(items)} items"
        told = [file["file"] for line in lines for file in line["artifacts"]]
        yield from _twice("files of the manifest", told)
        if there := {name for name in archive.namelist() if name.startswith("captures/")} ^ set(told):
            yield f"files that only one of archive and manifest has: {sorted(there)[:10]}"
        for line, item in zip(lines, items, strict=False):
            yield from _of_files(archive, line, item)


def _of_files(archive: zipfile.ZipFile, line: dict[str, Any], item: BatchItem) -> Iterator[str]:
    for file, artifact in zip(line["artifacts"], item.artifacts, strict=True):
        content = archive.read(file["file"])
        if hashlib.sha256(content).hexdigest() != artifact.sha256:
            yield f"{file['file']} is not {artifact.id} of {item.url}"
        if artifact.kind == "html" and f"Product {item.url.rpartition('/')[2]}<".encode() not in content:
            yield f"{file['file']} is not of {item.url}"


def of_store(keys: Iterable[str], artifacts: list[Artifact]) -> tuple[list[str], int]:
    """`keys`: of all records of artifacts. What is missing, and how many records nobody is told of."""
    kept = {key.removeprefix("fleet:artifact:") for key in keys}
    told = {artifact.id for artifact in artifacts}
    missing = sorted(told - kept)
    return [f"records of artifacts are missing: {missing[:10]}"] if missing else [], len(kept - told)


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        yield f"{what} more than once: {twice[:10]}"
