"""Persistent scripts from the API through a real worker into the page, and back as errors of the manifest."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet
from tests.pages.server import PagesServer


@pytest.fixture
def session(fleet: RunningFleet) -> Iterator[Callable[..., str]]:
    """Makes a session that runs; its room on the shared worker is given back."""
    made: list[str] = []

    def make(**request: Any) -> str:
        made.append(fleet.session(**request))
        return made[-1]

    yield make
    for deletion in [fleet.delete(session_id) for session_id in made]:
        fleet.end_of(deletion)


def visit(name: str) -> str:
    return f"window.visited = [...(window.visited ?? []), '{name}']"


def visited(fleet: RunningFleet, session_id: str, pages: PagesServer) -> list[str]:
    html = fleet.html_of(fleet.capture_in(session_id, f"{pages.url}/visited", outputs=[HTML_OUTPUT]))
    (told,) = re.findall(r"<pre>(.*?)</pre>", html)
    found: list[str] = json.loads(told)["visited"]
    return found


def test_scripts_of_the_creation_and_those_added_later_run_until_they_are_removed(
    fleet: RunningFleet, pages: PagesServer, session: Callable[..., str]
) -> None:
    session_id = session(scripts=[visit("first")])
    later = fleet.add_script(session_id, visit("later"))
    both = visited(fleet, session_id, pages)
    fleet.services.scripts.remove(session_id, later)
    assert (both, visited(fleet, session_id, pages)) == (["first", "later", "page"], ["first", "page"])


def test_an_error_of_a_script_is_in_the_manifest_under_its_id(
    fleet: RunningFleet, pages: PagesServer, session: Callable[..., str]
) -> None:
    session_id = session()
    script_id = fleet.add_script(session_id, "\nthrow new Error('on purpose')")
    result = fleet.end_of(fleet.capture_in(session_id, f"{pages.url}/plain")).result
    assert result is not None
    (error,) = result.console_errors
    assert (error.text, error.script_id, error.line) == ("on purpose", script_id, 2)
