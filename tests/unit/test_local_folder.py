"""What the local folder promises beyond what every storage does (tests/integration/artifacts/)."""

import hashlib
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fleet.artifacts.local_folder import LocalFolder
from fleet.artifacts.storage import open_storage
from fleet.errors import StorageUnavailable

_EXPIRY = datetime(2030, 1, 2, 10, 59, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def folder(root: Path) -> LocalFolder:
    return LocalFolder(root)


def put(folder: LocalFolder, content: bytes = b"bytes", *, expires_at: datetime = _EXPIRY) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return folder.put(content, sha256=digest, media_type="image/png", expires_at=expires_at)


def read(folder: LocalFolder, location: str) -> bytes | None:
    stream = folder.open(location)
    if stream is None:
        return None
    with stream:
        return stream.read()


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("location", ["../secret", "2030-01-02T10/../../secret", "/etc/passwd", "{outside}"])
def test_nothing_outside_the_root_is_opened(folder: LocalFolder, root: Path, location: str) -> None:
    secret = root.parent / "secret"
    secret.write_bytes(b"secret")

    assert folder.open(location.format(outside=secret)) is None


def test_a_link_that_leads_outside_the_root_is_not_followed(folder: LocalFolder, root: Path) -> None:
    secret = root.parent / "secret"
    secret.write_bytes(b"secret")
    location = put(folder)
    (root / location).unlink()
    (root / location).symlink_to(secret)

    assert folder.open(location) is None


def test_a_file_appears_whole_or_not_at_all(folder: LocalFolder) -> None:
    """A reader that looks all the time while files are written never sees a part of one."""
    contents = [bytes([number]) * 1_000_000 for number in range(20)]
    locations = [f"2030-01-02T10/{hashlib.sha256(content).hexdigest()}" for content in contents]
    done = threading.Event()

    def write_all() -> None:
        for content in contents:
            put(folder, content)
        done.set()

    seen: set[int | None] = set()
    writer = threading.Thread(target=write_all)
    writer.start()
    while not done.is_set():
        seen.update(
            None if content is None else len(content) for content in (read(folder, location) for location in locations)
        )
    writer.join()

    assert seen <= {None, 1_000_000}


def test_only_the_file_itself_is_left_after_a_put(folder: LocalFolder, root: Path) -> None:
    location = put(folder)

    assert files_below(root) == [root / location]


@pytest.mark.parametrize("hours_later", [0, 1, 24, 48])
def test_equal_bytes_that_come_again_within_two_days_are_stored_once(
    folder: LocalFolder, root: Path, hours_later: int
) -> None:
    first = put(folder)
    second = put(folder, expires_at=_EXPIRY + timedelta(hours=hours_later))

    assert (root / first).samefile(root / second)


def test_bytes_that_come_after_those_before_were_swept_are_written_anew(folder: LocalFolder, root: Path) -> None:
    put(folder)
    folder.sweep(_EXPIRY + timedelta(hours=1))
    location = put(folder, expires_at=_EXPIRY + timedelta(hours=2))

    assert (root / location).stat().st_nlink == 1
    assert read(folder, location) == b"bytes"


def test_a_file_that_its_disk_has_cut_short_is_written_anew(folder: LocalFolder, root: Path) -> None:
    location = put(folder)
    (root / location).write_bytes(b"byt")

    assert read(folder, put(folder)) == b"bytes"
    assert read(folder, put(folder, expires_at=_EXPIRY + timedelta(hours=1))) == b"bytes"


def test_a_root_that_is_no_folder_is_an_unavailable_storage(root: Path) -> None:
    root.write_bytes(b"")
    with pytest.raises(StorageUnavailable, match="Not a directory") as refused:
        put(LocalFolder(root))
    assert refused.value.details == {"retry_after": 10, "reason": "Not a directory"}


def test_a_root_that_is_no_folder_fails_the_check(root: Path) -> None:
    root.write_bytes(b"")
    with pytest.raises(StorageUnavailable):
        LocalFolder(root).check()


def test_a_check_leaves_nothing_behind(folder: LocalFolder, root: Path) -> None:
    folder.check()

    assert files_below(root) == []


@pytest.mark.parametrize(
    "name", ["keep", "2020", "2020-01-01", "2020-01-01T00-copy", ".2020-01-01T00", "2020-13-01T00"]
)
def test_a_sweep_leaves_folders_that_are_not_its_own(folder: LocalFolder, root: Path, name: str) -> None:
    (root / name).mkdir(parents=True)

    assert folder.sweep(_EXPIRY) == 0
    assert (root / name).is_dir()


@pytest.mark.parametrize(("age_seconds", "left"), [(3500, 1), (3700, 0)])
def test_a_sweep_removes_what_writers_that_died_have_left(
    folder: LocalFolder, root: Path, age_seconds: int, left: int
) -> None:
    put(folder)
    part = root / ".parts" / "of-one-that-died"
    part.write_bytes(b"half of ")
    written = time.time() - age_seconds
    os.utime(part, (written, written))
    folder.sweep(_EXPIRY)

    assert part.exists() == bool(left)


def test_an_old_hour_that_is_no_folder_does_not_stop_the_sweep(folder: LocalFolder, root: Path) -> None:
    put(folder)
    (root / "2020-01-01T00").write_bytes(b"")

    assert folder.sweep(_EXPIRY + timedelta(hours=1)) > 0


@pytest.mark.parametrize("form", ["file:{}", "file://{}"])
def test_storage_is_named_by_a_file_url(form: str, root: Path) -> None:
    open_storage(form.format(root)).put(b"bytes", sha256="0" * 64, media_type="image/png", expires_at=_EXPIRY)

    assert (root / "2030-01-02T10" / ("0" * 64)).read_bytes() == b"bytes"


def test_a_relative_file_url_starts_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_storage("file:./here").put(b"bytes", sha256="0" * 64, media_type="image/png", expires_at=_EXPIRY)

    assert (tmp_path / "here" / "2030-01-02T10" / ("0" * 64)).read_bytes() == b"bytes"


def test_a_local_folder_has_no_links_of_its_own(folder: LocalFolder) -> None:
    assert folder.link(put(folder), valid_for=timedelta(minutes=1)) is None
