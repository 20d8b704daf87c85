"""`fleet batch`, in a terminal and out of it."""

import json
from typing import Any

import pytest

from tests.system.command import FleetCommand

_SECONDS = 120
_PAGES = 16
# So that the batch goes on for a while, however fast the machine is.
_SLOWLY = ("--per-host", "1", "--per-host-delay", "0.3")


@pytest.fixture
def urls(command: FleetCommand, site: str) -> str:
    """Name of a file with a list."""
    lines = [f"{site}/?page={number}" for number in range(_PAGES)]
    (command.folder / "urls.txt").write_text("\n".join(["# pages", *lines]))
    return "urls.txt"


def _manifest(command: FleetCommand) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (command.folder / "out" / "manifest.jsonl").read_text().splitlines()]


def _check_complete(command: FleetCommand, count: int = _PAGES) -> None:
    """Each item once, each file whole, and nothing else."""
    manifest = _manifest(command)
    assert sorted(line["index"] for line in manifest) == list(range(count))
    named = [name for line in manifest for name in line["files"]]
    there = {path.name: path for path in (command.folder / "out").iterdir()}
    assert set(there) == {*named, "manifest.jsonl", ".fleet-batch.json"}
    assert all(there[name].read_bytes().startswith(b"\x89PNG") for name in named)


def test_a_list_becomes_a_folder_of_files(command: FleetCommand, urls: str) -> None:
    ended = command.run("batch", urls, "-o", "out", "--json")

    assert ended.code == 0
    _check_complete(command)
    *items, last = ended.records
    assert [item["index"] for item in items] == [line["index"] for line in _manifest(command)]
    assert last["batch"]["counts"]["succeeded"] == _PAGES


def test_the_exit_code_is_the_number_of_failures(command: FleetCommand, site: str) -> None:
    pages = f'url,id\nhttp://nowhere.invalid/,a\n{site}/,b\nhttp://nowhere.invalid/2,"c d"\n'
    ended = command.run("batch", "-", "--list-format", "csv", "-o", "out", stdin=pages)

    assert ended.code == 2
    assert ended.err.count("name_not_resolved") >= 2
    assert (command.folder / "out" / "1-b.png").exists()
    assert "1 of 3 pages captured" in ended.err


def test_ctrl_c_leaves_the_batch_and_resume_fetches_the_rest(command: FleetCommand, urls: str) -> None:
    with command.in_terminal("batch", urls, "-o", "out", *_SLOWLY) as terminal:
        terminal.wait_for(f"3 of {_PAGES}", _SECONDS)
        terminal.press_ctrl_c()
        assert terminal.exit_code(_SECONDS) == 130
    assert "━" in terminal.screen
    assert "/s" in terminal.screen
    assert "fleet batch --resume out" in terminal.screen
    assert "Traceback" not in terminal.screen
    assert 0 < len(_manifest(command)) < _PAGES

    assert command.run("batch", "--resume", "out").code == 0
    _check_complete(command)


def test_failures_are_told_above_the_bar_as_they_come(command: FleetCommand, site: str) -> None:
    lines = ["http://nowhere.invalid/", *(f"{site}/?page={number}" for number in range(8))]
    (command.folder / "urls.txt").write_text("\n".join(lines))
    line = f"fleet batch urls.txt -o out --json {' '.join(_SLOWLY)} > lines.ndjson"
    with command.shell_in_terminal(line) as terminal:
        terminal.wait_for("name_not_resolved", _SECONDS)
        assert "pages captured" not in terminal.screen
        assert terminal.exit_code(_SECONDS) == 1
    # The bar has taken nothing of what goes elsewhere.
    assert len((command.folder / "lines.ndjson").read_text().splitlines()) == 10


def test_the_same_command_again_goes_on(command: FleetCommand, urls: str) -> None:
    with command.in_terminal("batch", urls, "-o", "out", *_SLOWLY) as terminal:
        terminal.wait_for(f"1 of {_PAGES}", _SECONDS)
        terminal.press_ctrl_c()
        terminal.exit_code(_SECONDS)
    ended = command.run("batch", urls, "-o", "out", *_SLOWLY)

    assert ended.code == 0
    assert "Goes on with bat_" in ended.err
    _check_complete(command)


def test_ctrl_c_stops_the_batch_if_it_is_to(command: FleetCommand, urls: str) -> None:
    with command.in_terminal("batch", urls, "-o", "out", "--cancel-on-interrupt", *_SLOWLY) as terminal:
        terminal.wait_for(f"1 of {_PAGES}", _SECONDS)
        terminal.press_ctrl_c()
        assert terminal.exit_code(_SECONDS) == 130
    ended = command.run("batch", "--resume", "out")

    assert 0 < ended.code < _PAGES
    assert "ended early: cancelled" in ended.err


def test_a_list_that_the_fleet_refuses_is_told_with_its_line(command: FleetCommand, site: str) -> None:
    ended = command.run("batch", "-", "-o", "out", stdin=f"{site}/\nnonsense\n")

    assert ended.code == 101
    assert "line 2" in ended.err
    # Nothing stands in the way of the corrected list.
    assert command.run("batch", "-", "-o", "out", stdin=f"{site}/\n").code == 0
