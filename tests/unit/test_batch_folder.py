from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleet_client import BatchItem
from fleet_client.cli.batch_folder import BatchBody, BatchFolder, FolderInUse

_BODY = BatchBody(b"https://example.org/\n", "text/plain", {"retries": "1"})


def _item(index: int, state: str = "succeeded") -> BatchItem:
    return BatchItem.model_validate({"index": index, "url": "https://example.org/", "state": state})


@contextmanager
def _begun(path: Path) -> Iterator[BatchFolder]:
    with BatchFolder(path) as folder:
        folder.open_for(_BODY)
        yield folder


def test_a_batch_whose_acceptance_was_not_heard_of_is_asked_for_with_the_same_key(tmp_path: Path) -> None:
    with _begun(tmp_path) as first:
        key = first.key
    with _begun(tmp_path) as again:
        assert (again.key, again.batch_id) == (key, None)


def test_the_same_command_again_goes_on_with_its_batch(tmp_path: Path) -> None:
    with _begun(tmp_path) as first:
        first.accepted_as("bat_a")
        first.note(_item(0), ["0-example.org.png"], None)
        first.note(_item(1, "failed"), [], None)
    with _begun(tmp_path) as again:
        assert (again.batch_id, again.done, again.failures) == ("bat_a", {0: True, 1: False}, 1)


@pytest.mark.parametrize(
    "other",
    [
        BatchBody(b"https://example.com/\n", "text/plain", {"retries": "1"}),
        BatchBody(_BODY.content, "text/plain", {"retries": "2"}),
        BatchBody(_BODY.content, "text/csv", {"retries": "1"}),
    ],
)
def test_another_command_does_not_mix_with_a_folders_batch(tmp_path: Path, other: BatchBody) -> None:
    with _begun(tmp_path):
        pass
    with BatchFolder(tmp_path) as folder, pytest.raises(FolderInUse, match="--resume"):
        folder.open_for(other)


def test_there_is_nothing_to_go_on_with_in_a_folder_without_a_batch(tmp_path: Path) -> None:
    with BatchFolder(tmp_path) as folder, pytest.raises(FolderInUse):
        folder.open()


def test_a_line_that_was_broken_off_is_written_anew(tmp_path: Path) -> None:
    with _begun(tmp_path) as first:
        first.note(_item(0), [], None)
    manifest = tmp_path / "manifest.jsonl"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole + b'{"index": 1, "st')
    with _begun(tmp_path) as again:
        assert again.done == {0: True}
    assert manifest.read_bytes() == whole


def test_an_item_without_its_files_has_failed(tmp_path: Path) -> None:
    with _begun(tmp_path) as folder:
        folder.note(_item(0), [], "artifact_not_found: It has expired.")
        assert folder.failures == 1


def test_failures_that_are_forgotten_are_noted_anew_and_the_rest_stays(tmp_path: Path) -> None:
    with _begun(tmp_path) as folder:
        folder.note(_item(0), ["0-example.org.png"], None)
        folder.note(_item(1, "failed"), [], None)
        folder.note(_item(2), [], "storage_unavailable: Try again.")
        folder.forget_failures()
        assert (folder.done, folder.failures) == ({0: True}, 0)
        folder.note(_item(1), ["1-example.org.png"], None)
    with _begun(tmp_path) as again:
        assert again.done == {0: True, 1: True}
    assert {path.name for path in tmp_path.iterdir()} == {".fleet-batch.json", "manifest.jsonl"}


def test_a_folder_without_notes_has_no_failures_to_forget(tmp_path: Path) -> None:
    with _begun(tmp_path) as folder:
        folder.forget_failures()
        assert list(tmp_path.iterdir()) == [tmp_path / ".fleet-batch.json"]


def test_two_commands_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with _begun(tmp_path), BatchFolder(tmp_path) as second, pytest.raises(FolderInUse, match="let it end"):
        second.open()


def test_what_a_killed_command_had_begun_to_fetch_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".0-example.org.png.0123abcd.part").touch()
    (tmp_path / "mine.part").touch()
    with _begun(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {".fleet-batch.json", "mine.part"}
