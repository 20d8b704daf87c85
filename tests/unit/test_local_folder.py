import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
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


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def put(folder: LocalFolder, content: bytes = b"bytes", *, name: str = "art_1", expires_at: datetime = _EXPIRY) -> str:
    return folder.put(name, content, expires_at=expires_at)


def read(folder: LocalFolder, location: str) -> bytes | None:
    stream = folder.open(location)
    if stream is None:
        return None
    with stream:
        return stream.read()


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("content", [b"", b"bytes", bytes(range(256)) * 1000], ids=len)
def test_what_was_put_is_what_is_opened(folder: LocalFolder, content: bytes) -> None:
    assert read(folder, put(folder, content)) == content


def test_a_stream_can_be_read_from_any_place(folder: LocalFolder) -> None:
    stream = folder.open(put(folder, b"0123456789"))

    assert stream is not None
    with stream:
        stream.seek(7)
        assert stream.read() == b"789"


def test_a_folder_that_was_started_again_still_has_its_files(root: Path, folder: LocalFolder) -> None:
    location = put(folder)

    assert read(LocalFolder(root), location) == b"bytes"


def test_a_location_without_a_file_opens_as_nothing(folder: LocalFolder) -> None:
    assert folder.open("2030-01-02T10/art_none") is None


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
    """A reader that looks all the time while the content changes never sees a mixture or a part."""
    contents = [bytes([number]) * 1_000_000 for number in range(20)]
    location = put(folder, contents[0])
    done = threading.Event()

    def write_all() -> None:
        for content in contents:
            put(folder, content)
        done.set()

    seen = []
    writer = threading.Thread(target=write_all)
    writer.start()
    while not done.is_set():
        seen.append(read(folder, location))
    writer.join()

    assert all(content in contents for content in seen)


def test_only_the_file_itself_is_left_after_a_put(folder: LocalFolder, root: Path) -> None:
    location = put(folder)

    assert files_below(root) == [root / location]


def test_a_full_disk_is_an_unavailable_storage(tiny_disk: Path) -> None:
    with pytest.raises(StorageUnavailable, match="No space left on device") as refused:
        put(LocalFolder(tiny_disk), bytes(1_000_000))

    assert refused.value.retry_after > 0


def test_a_full_disk_keeps_no_part_of_the_file(tiny_disk: Path) -> None:
    with pytest.raises(StorageUnavailable):
        put(LocalFolder(tiny_disk), bytes(1_000_000))

    assert files_below(tiny_disk) == []


def test_a_disk_that_has_room_again_takes_files_again(tiny_disk: Path) -> None:
    folder = LocalFolder(tiny_disk)
    with pytest.raises(StorageUnavailable):
        put(folder, bytes(1_000_000))

    assert read(folder, put(folder, b"small")) == b"small"


def test_a_root_that_is_no_folder_is_an_unavailable_storage(root: Path) -> None:
    root.write_bytes(b"")
    with pytest.raises(StorageUnavailable):
        put(LocalFolder(root))


def test_a_sweep_before_an_hour_has_passed_keeps_its_files(folder: LocalFolder) -> None:
    location = put(folder, expires_at=_EXPIRY)

    assert folder.sweep(_EXPIRY) == 0
    assert read(folder, location) == b"bytes"


def test_a_sweep_after_an_hour_has_passed_removes_its_files(folder: LocalFolder) -> None:
    location = put(folder, expires_at=_EXPIRY)

    assert folder.sweep(_EXPIRY + timedelta(minutes=1)) == 1
    assert folder.open(location) is None


def test_an_expiry_in_another_time_zone_lands_in_the_same_hour(folder: LocalFolder) -> None:
    elsewhere = _EXPIRY.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert put(folder, expires_at=elsewhere) == put(folder, expires_at=_EXPIRY)


def test_a_sweep_removes_every_hour_that_has_passed_and_no_other(folder: LocalFolder) -> None:
    hours = [put(folder, expires_at=_EXPIRY + timedelta(hours=hour)) for hour in range(4)]

    assert folder.sweep(_EXPIRY + timedelta(hours=2)) == 2
    assert [folder.open(location) is None for location in hours[:2]] == [True, True]
    assert [read(folder, location) for location in hours[2:]] == [b"bytes", b"bytes"]


@pytest.mark.parametrize(
    "name", ["keep", "2020", "2020-01-01", "2020-01-01T00-copy", ".2020-01-01T00", "2020-13-01T00"]
)
def test_a_sweep_leaves_folders_that_are_not_its_own(folder: LocalFolder, root: Path, name: str) -> None:
    (root / name).mkdir(parents=True)

    assert folder.sweep(_EXPIRY) == 0
    assert (root / name).is_dir()


def test_a_sweep_of_a_root_that_does_not_exist_yet_does_nothing(folder: LocalFolder) -> None:
    assert folder.sweep(_EXPIRY) == 0


def test_a_put_after_a_sweep_of_its_hour_is_kept(folder: LocalFolder) -> None:
    put(folder)
    folder.sweep(_EXPIRY + timedelta(hours=1))

    assert read(folder, put(folder)) == b"bytes"


@pytest.mark.parametrize("form", ["file:{}", "file://{}"])
def test_storage_is_named_by_a_file_url(form: str, root: Path) -> None:
    location = open_storage(form.format(root)).put("art_1", b"bytes", expires_at=_EXPIRY)

    assert (root / location).read_bytes() == b"bytes"


def test_a_relative_file_url_starts_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    location = open_storage("file:./here").put("art_1", b"bytes", expires_at=_EXPIRY)

    assert (tmp_path / "here" / location).read_bytes() == b"bytes"
