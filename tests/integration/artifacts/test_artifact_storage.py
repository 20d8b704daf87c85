"""What every storage of artifacts promises, whichever it is."""

import hashlib
import io
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from fleet.artifacts.storage import ArtifactStorage, open_storage

_EXPIRY = datetime(2030, 1, 2, 10, 59, tzinfo=UTC)
_HOUR = timedelta(hours=1)
# More than one part of an upload, and than one read of a download.
_BIG = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(640_000))


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    found: str = request.getfixturevalue("s3_url") if request.param == "s3" else f"file:{tmp_path / 'artifacts'}"
    return found


@pytest.fixture
def storage(url: str) -> ArtifactStorage:
    return open_storage(url)


def put(storage: ArtifactStorage, content: bytes = b"bytes", *, expires_at: datetime = _EXPIRY) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return storage.put(content, sha256=digest, media_type="image/png", expires_at=expires_at)


def read(storage: ArtifactStorage, location: str) -> bytes | None:
    stream = storage.open(location)
    if stream is None:
        return None
    with stream:
        return stream.read()


def swept(storage: ArtifactStorage, now: datetime) -> int:
    """All that goes in as many steps as it takes."""
    removed = 0
    while step := storage.sweep(now):
        removed += step
    return removed


@pytest.mark.parametrize("content", [b"", b"bytes", bytes(range(256)) * 1000, _BIG], ids=len)
def test_what_was_put_is_what_is_opened(storage: ArtifactStorage, content: bytes) -> None:
    assert read(storage, put(storage, content)) == content


@pytest.mark.parametrize(
    ("offset", "whence", "at"),
    [(7, io.SEEK_SET, 7), (-3, io.SEEK_END, 7), (5, io.SEEK_CUR, 7), (20, io.SEEK_SET, 20)],
)
def test_a_stream_is_read_from_any_place(storage: ArtifactStorage, offset: int, whence: int, at: int) -> None:
    stream = storage.open(put(storage, b"0123456789"))
    assert stream is not None
    with stream:
        assert stream.read(2) == b"01"
        stream.seek(offset, whence)
        assert stream.tell() == at
        assert stream.read() == b"0123456789"[at:]


def test_a_big_one_is_read_piece_by_piece(storage: ArtifactStorage) -> None:
    stream = storage.open(put(storage, _BIG))
    assert stream is not None
    with stream:
        pieces = list(iter(lambda: stream.read(700_000), b""))
    assert b"".join(pieces) == _BIG


def test_who_opens_the_storage_anew_finds_what_is_there(url: str, storage: ArtifactStorage) -> None:
    location = put(storage)

    assert read(open_storage(url), location) == b"bytes"


def test_what_was_never_put_opens_as_nothing(storage: ArtifactStorage) -> None:
    assert storage.open(f"2030-01-02T10/{'0' * 64}") is None


def test_equal_bytes_of_one_hour_have_one_location(storage: ArtifactStorage) -> None:
    assert put(storage, expires_at=_EXPIRY) == put(storage, expires_at=_EXPIRY - timedelta(minutes=59))
    assert put(storage, b"other") != put(storage)


def test_an_expiry_in_another_time_zone_lands_in_the_same_hour(storage: ArtifactStorage) -> None:
    elsewhere = _EXPIRY.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert put(storage, expires_at=elsewhere) == put(storage)


def test_many_who_put_the_same_at_once_all_find_it(storage: ArtifactStorage) -> None:
    together = threading.Barrier(8)
    found: list[bytes | None] = []

    def write() -> None:
        together.wait()
        found.append(read(storage, put(storage, b"same" * 10_000)))

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert found == [b"same" * 10_000] * 8


def test_a_sweep_in_the_hour_of_expiry_removes_nothing(storage: ArtifactStorage) -> None:
    location = put(storage)

    assert swept(storage, _EXPIRY) == 0
    assert read(storage, location) == b"bytes"


def test_a_sweep_removes_every_hour_that_has_passed_and_no_other(storage: ArtifactStorage) -> None:
    contents = [f"of hour {hour}".encode() for hour in range(4)]
    locations = [put(storage, content, expires_at=_EXPIRY + at * _HOUR) for at, content in enumerate(contents)]

    assert swept(storage, _EXPIRY + 2 * _HOUR) > 0
    assert [read(storage, location) for location in locations] == [None, None, *contents[2:]]


def test_equal_bytes_live_on_when_the_hour_of_the_first_has_passed(storage: ArtifactStorage) -> None:
    first, second = put(storage), put(storage, expires_at=_EXPIRY + 5 * _HOUR)
    swept(storage, _EXPIRY + _HOUR)

    assert (read(storage, first), read(storage, second)) == (None, b"bytes")


def test_a_sweep_of_an_empty_storage_removes_nothing(storage: ArtifactStorage) -> None:
    assert swept(storage, _EXPIRY) == 0


def test_what_is_put_after_a_sweep_of_its_hour_is_kept(storage: ArtifactStorage) -> None:
    put(storage)
    swept(storage, _EXPIRY + _HOUR)

    assert read(storage, put(storage)) == b"bytes"


def test_a_check_of_a_storage_that_works_leaves_nothing_for_the_sweep(storage: ArtifactStorage) -> None:
    storage.check()

    assert swept(storage, _EXPIRY) == 0
