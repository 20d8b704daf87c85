"""What a local folder does on a disk without room."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.artifacts.local_folder import LocalFolder
from fleet.errors import StorageUnavailable
from tests.integration.tiny_disk import fill

_EXPIRY = datetime(2030, 1, 2, 10, 59, tzinfo=UTC)


def put(folder: LocalFolder, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return folder.put(content, sha256=digest, media_type="image/png", expires_at=_EXPIRY)


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_it_is_an_unavailable_storage_and_keeps_no_part_of_the_file(tiny_disk: Path) -> None:
    with pytest.raises(StorageUnavailable, match="No space left on device") as refused:
        put(LocalFolder(tiny_disk), bytes(1_000_000))

    assert refused.value.details == {"retry_after": 10, "reason": "No space left on device"}
    assert files_below(tiny_disk) == []


def test_it_takes_files_again_once_there_is_room(tiny_disk: Path) -> None:
    folder = LocalFolder(tiny_disk)
    with pytest.raises(StorageUnavailable):
        put(folder, bytes(1_000_000))
    stream = folder.open(put(folder, b"small"))

    assert stream is not None
    with stream:
        assert stream.read() == b"small"


def test_its_check_fails_until_there_is_room(tiny_disk: Path) -> None:
    folder = LocalFolder(tiny_disk)
    folder.check()
    ballast = fill(tiny_disk)
    with pytest.raises(StorageUnavailable, match="No space left on device"):
        folder.check()
    ballast.unlink()
    folder.check()


def test_it_gives_what_it_holds(tiny_disk: Path) -> None:
    folder = LocalFolder(tiny_disk)
    location = put(folder, b"bytes")
    fill(tiny_disk)
    stream = folder.open(location)

    assert stream is not None
    with stream:
        assert stream.read() == b"bytes"
