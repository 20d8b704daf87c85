import hashlib
from pathlib import Path

from fleet_client.files import FileSink


def test_nothing_is_left_of_a_longer_beginning(tmp_path: Path) -> None:
    with FileSink(tmp_path / "page.png") as sink:
        sink.restart()
        sink.write(b"much longer than the picture")
        sink.restart()
        sink.write(b"picture")
        sink.check(hashlib.sha256(b"picture").hexdigest())
        path = sink.keep()

    assert path.read_bytes() == b"picture"


def test_a_long_name_leaves_room_for_that_of_the_part(tmp_path: Path) -> None:
    with FileSink(tmp_path / ("a" * 255)) as sink:
        assert sink.keep().exists()
