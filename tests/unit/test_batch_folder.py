from pathlib import Path

import pytest

from fleet_client import BatchItem
from fleet_client.cli.batch_folder import BatchBody, BatchFolder, FolderInUse

_BODY = BatchBody(b"https://example.org/\n", "text/plain", {"retries": "1"})


def _item(index: int, state: str = "succeeded") -> BatchItem:
    return BatchItem.model_validate({"index": index, "url": "https://example.org/", "state": state})


def _begun(path: Path) -> BatchFolder:
    folder = BatchFolder(path)
    folder.open_for(_BODY)
    return folder


def test_a_batch_whose_acceptance_was_not_heard_of_is_asked_for_with_the_same_key(tmp_path: Path) -> None:
    assert _begun(tmp_path).key == _begun(tmp_path).key
    assert _begun(tmp_path).batch_id is None


def test_the_same_command_again_goes_on_with_its_batch(tmp_path: Path) -> None:
    first = _begun(tmp_path)
    first.accepted_as("bat_a")
    first.note(_item(0), ["0-example.org.png"], None)
    first.note(_item(1, "failed"), [], None)
    again = _begun(tmp_path)

    assert (again.batch_id, again.done, again.failures) == ("bat_a", {0: True, 1: False}, 1)


def test_another_command_does_not_mix_with_a_folders_batch(tmp_path: Path) -> None:
    _begun(tmp_path)

    for other in (
        BatchBody(b"https://example.com/\n", "text/plain", {"retries": "1"}),
        BatchBody(_BODY.content, "text/plain", {"retries": "2"}),
        BatchBody(_BODY.content, "text/csv", {"retries": "1"}),
    ):
        with pytest.raises(FolderInUse, match="--resume"):
            BatchFolder(tmp_path).open_for(other)


def test_there_is_nothing_to_go_on_with_in_a_folder_without_a_batch(tmp_path: Path) -> None:
    with pytest.raises(FolderInUse):
        BatchFolder(tmp_path).open()


def test_a_line_that_was_broken_off_is_written_anew(tmp_path: Path) -> None:
    first = _begun(tmp_path)
    first.note(_item(0), [], None)
    manifest = tmp_path / "manifest.jsonl"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole + b'{"index": 1, "st')
    again = _begun(tmp_path)

    assert again.done == {0: True}
    assert manifest.read_bytes() == whole


def test_an_item_without_its_files_has_failed(tmp_path: Path) -> None:
    folder = _begun(tmp_path)
    folder.note(_item(0), [], "artifact_not_found: It has expired.")

    assert folder.failures == 1
