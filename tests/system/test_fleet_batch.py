"""`fleet batch`, in a terminal and out of it."""

import gzip
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import pytest

from tests.pages.server import PagesServer
from tests.system.command import FleetCommand

_SECONDS = 120
# Of the pages of a list, those that come at once, and all.
_OPEN, _PAGES = 3, 12
# Longer than a page is held back, whatever else the machine does.
_PATIENTLY = ("--timeout", "240")


@pytest.fixture
def pages() -> Iterator[PagesServer]:
    with PagesServer() as pages:
        yield pages


@pytest.fixture
def urls(command: FleetCommand, pages: PagesServer) -> str:
    """Name of a file with a list; all but the first pages wait until the test opens their gate."""
    open_ones = [f"{pages.url}/status/200?page={number}" for number in range(_OPEN)]
    held_back = [f"{pages.url}/gate/rest?page={number}" for number in range(_OPEN, _PAGES)]
    (command.folder / "urls.txt").write_text("\n".join(["# pages", *open_ones, *held_back]))
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


def test_a_list_becomes_a_folder_of_files(command: FleetCommand, urls: str, pages: PagesServer) -> None:
    pages.open_gate("rest")
    ended = command.run("batch", urls, "-o", "out", "--json")

    assert ended.code == 0
    _check_complete(command)
    *items, last = ended.records
    assert [item["index"] for item in items] == [line["index"] for line in _manifest(command)]
    assert last["batch"]["counts"]["succeeded"] == _PAGES


def test_the_exit_code_is_the_number_of_failures(command: FleetCommand, site: str) -> None:
    rows = f'url,id\nhttp://nowhere.invalid/,a\n{site}/,b\nhttp://nowhere.invalid/2,"c d"\n'
    ended = command.run("batch", "-", "--list-format", "csv", "-o", "out", stdin=rows)

    assert ended.code == 2
    assert ended.err.count("name_not_resolved") >= 2
    assert (command.folder / "out" / "1-b.png").exists()
    assert "1 of 3 pages captured" in ended.err


def test_ctrl_c_leaves_the_batch_and_resume_fetches_the_rest(
    command: FleetCommand, urls: str, pages: PagesServer
) -> None:
    with command.in_terminal("batch", urls, "-o", "out", *_PATIENTLY) as terminal:
        terminal.wait_for(f" {_OPEN} of {_PAGES} ", _SECONDS)
        terminal.press_ctrl_c()
        assert terminal.exit_code(_SECONDS) == 130
    assert "━" in terminal.screen
    assert "fleet batch --resume out" in terminal.screen
    assert "Traceback" not in terminal.screen
    assert len(_manifest(command)) == _OPEN

    pages.open_gate("rest")
    assert command.run("batch", "--resume", "out").code == 0
    _check_complete(command)


def test_the_same_command_again_goes_on(command: FleetCommand, urls: str, pages: PagesServer) -> None:
    with command.in_terminal("batch", urls, "-o", "out", *_PATIENTLY) as terminal:
        terminal.wait_for(f" {_OPEN} of {_PAGES} ", _SECONDS)
        terminal.press_ctrl_c()
        terminal.exit_code(_SECONDS)
    pages.open_gate("rest")
    ended = command.run("batch", urls, "-o", "out", *_PATIENTLY)

    assert ended.code == 0
    assert "Goes on with bat_" in ended.err
    _check_complete(command)


def test_ctrl_c_stops_the_batch_if_it_is_to(command: FleetCommand, urls: str) -> None:
    with command.in_terminal("batch", urls, "-o", "out", "--cancel-on-interrupt", *_PATIENTLY) as terminal:
        terminal.wait_for(f" {_OPEN} of {_PAGES} ", _SECONDS)
        terminal.press_ctrl_c()
        assert terminal.exit_code(_SECONDS) == 130
    # The gate stays closed: what is in hand would be free to succeed before it hears of the end.
    ended = command.run("batch", "--resume", "out")

    assert ended.code == _PAGES - _OPEN
    assert "ended early: cancelled" in ended.err


def test_what_did_not_succeed_begins_anew_and_is_fetched(command: FleetCommand, urls: str, pages: PagesServer) -> None:
    with command.in_terminal("batch", urls, "-o", "out", "--cancel-on-interrupt", *_PATIENTLY) as terminal:
        terminal.wait_for(f" {_OPEN} of {_PAGES} ", _SECONDS)
        terminal.press_ctrl_c()
        terminal.exit_code(_SECONDS)
    assert command.run("batch", "--resume", "out").code == _PAGES - _OPEN
    pages.open_gate("rest")
    ended = command.run("batch", "--retry-failed", "out", "--json")

    assert ended.code == 0
    assert f"{_PAGES - _OPEN} of {_PAGES} pages begin anew" in ended.err
    # What is there is not fetched twice.
    assert sorted(item["index"] for item in ended.records[:-1]) == list(range(_OPEN, _PAGES))
    _check_complete(command)


def test_a_retry_of_a_batch_that_has_not_ended_goes_on_with_it(
    command: FleetCommand, urls: str, pages: PagesServer
) -> None:
    with command.in_terminal("batch", urls, "-o", "out", *_PATIENTLY) as terminal:
        terminal.wait_for(f" {_OPEN} of {_PAGES} ", _SECONDS)
        terminal.press_ctrl_c()
        terminal.exit_code(_SECONDS)
    with command.in_terminal("batch", "--retry-failed", "out") as terminal:
        terminal.wait_for("Goes on with bat_", _SECONDS)
        pages.open_gate("rest")
        assert terminal.exit_code(_SECONDS) == 0
    _check_complete(command)


def test_a_batch_that_has_succeeded_has_nothing_to_begin_anew(command: FleetCommand, site: str) -> None:
    command.run("batch", "-", "-o", "out", stdin=f"{site}/\n")
    ended = command.run("batch", "--retry-failed", "out")

    assert ended.code == 0
    assert "0 of 1 pages begin anew" in ended.err


def test_failures_are_told_above_the_bar_as_they_come(command: FleetCommand, urls: str, pages: PagesServer) -> None:
    listed = command.folder / urls
    listed.write_text(f"http://nowhere.invalid/\n{listed.read_text()}")
    line = f"fleet batch {urls} -o out --json {' '.join(_PATIENTLY)} > lines.ndjson"
    with command.shell_in_terminal(line) as terminal:
        terminal.wait_for("name_not_resolved", _SECONDS)
        assert "pages captured" not in terminal.screen
        pages.open_gate("rest")
        terminal.wait_for("1 failed", _SECONDS)
        assert terminal.exit_code(_SECONDS) == 1
    assert "/s" in terminal.screen
    # The bar has taken nothing of what goes elsewhere.
    assert len((command.folder / "lines.ndjson").read_text().splitlines()) == _PAGES + 2


def test_a_batch_is_one_file_too(command: FleetCommand, site: str) -> None:
    batch = command.run("batch", "-", "-o", "out", "--json", stdin=f"{site}/\n").records[-1]["batch"]

    assert command.run("archive", batch["id"]).code == 0
    with ZipFile(command.folder / f"{batch['id']}.zip") as archive:
        assert "manifest.jsonl" in archive.namelist()
    assert command.run("archive", batch["id"], "-o", "pages.warc.gz").lines[0].startswith("pages.warc.gz  (")
    with gzip.open(command.folder / "pages.warc.gz") as warc:
        assert warc.readline() == b"WARC/1.1\r\n"


def test_an_archive_that_cannot_be_written_is_told(command: FleetCommand) -> None:
    ended = command.run("archive", f"bat_{'a' * 32}", "-o", "/proc/all.zip")

    assert ended.code == 1
    assert "/proc/all.zip: " in ended.err
    assert "Traceback" not in ended.err


def test_a_list_that_the_fleet_refuses_is_told_with_its_line(command: FleetCommand, site: str) -> None:
    ended = command.run("batch", "-", "-o", "out", stdin=f"{site}/\nnonsense\n")

    assert ended.code == 101
    assert "line 2" in ended.err
    # Nothing stands in the way of the corrected list.
    assert command.run("batch", "-", "-o", "out", stdin=f"{site}/\n").code == 0
