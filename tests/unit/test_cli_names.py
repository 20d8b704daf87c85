from pathlib import Path

import pytest
import typer

from fleet_client.cli.file_names import Names, stem
from fleet_client.cli.printing import in_bytes, in_time
from fleet_client.cli.targets import suffix, targets


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/", "example.org"),
        ("https://example.org/news/today?page=2#top", "example.org-news-today-page-2"),
        ("http://127.0.0.1:9000/", "127.0.0.1-9000"),
        ("https://example.org/caf%C3%A9", "example.org-café"),
        ("https://ada:secret@example.org/", "example.org"),
        ("http://[::1", "http-1"),
        ("", "page"),
    ],
)
def test_files_are_named_after_their_pages(url: str, name: str) -> None:
    assert stem(url).startswith(name)
    assert "/" not in stem(url)
    assert "secret" not in stem(url)


def test_a_name_is_no_longer_than_file_systems_allow() -> None:
    assert len(stem("https://example.org/" + "a" * 5000)) <= 100


def test_no_name_is_given_twice() -> None:
    names = Names()

    assert [names.new(one, "png") for one in ("a", "a", "A", "a-2")] == ["a.png", "a-2.png", "A-3.png", "a-2-2.png"]


def test_one_page_goes_into_the_file(tmp_path: Path) -> None:
    (one,) = targets(["https://example.org/"], str(tmp_path / "page.png"), "png")

    assert one.path == tmp_path / "page.png"


def test_one_page_goes_into_a_folder_that_is_there(tmp_path: Path) -> None:
    (one,) = targets(["https://example.org/"], str(tmp_path), "png")

    assert one.path == tmp_path / "example.org.png"


def test_several_pages_go_into_a_folder() -> None:
    found = targets(["https://a.org/", "https://b.org/"], "out", "pdf")

    assert [one.path for one in found] == [Path("out/a.org.pdf"), Path("out/b.org.pdf")]


def test_standard_output_takes_one_file_only() -> None:
    assert targets(["https://a.org/"], "-", "png")[0].path is None
    with pytest.raises(typer.BadParameter):
        targets(["https://a.org/", "https://b.org/"], "-", "png")


def test_several_pages_do_not_go_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "page.png").touch()
    with pytest.raises(typer.BadParameter):
        targets(["https://a.org/", "https://b.org/"], str(tmp_path / "page.png"), "png")


@pytest.mark.parametrize(("output", "ending"), [("a.JPG", "jpg"), ("a", ""), ("out.d/", ""), ("-", ""), (None, "")])
def test_a_files_ending_says_its_type(output: str | None, ending: str) -> None:
    assert suffix(output) == ending


@pytest.mark.parametrize(("count", "said"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "2 kB"), (2.5e9, "2500.0 MB")])
def test_sizes_read_well(count: float, said: str) -> None:
    assert in_bytes(count) == said


@pytest.mark.parametrize(("seconds", "said"), [(2, "2 s"), (600, "10 min"), (12_000, "3 h 20 min")])
def test_times_read_well(seconds: float, said: str) -> None:
    assert in_time(seconds) == said
