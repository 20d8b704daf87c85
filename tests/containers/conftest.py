"""A fleet of three workers in containers, and the example site beside it."""

import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.containers.stack import Stack

_ENGINE_SECONDS = 20


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not _engine_answers():
        pytest.skip("no Docker engine with Compose answers")
    made = Stack(tmp_path_factory.mktemp("stack"))
    made.build()
    try:
        made.up(workers=3)
        yield made
        print(made.logs())  # noqa: T201  # shown with what failed
    finally:
        made.down()


def _engine_answers() -> bool:
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_ENGINE_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return False
    return True


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    """Sessions that a test has left open are deleted."""
    with stack.client() as client:
        yield client
        for session in client.get("/api/sessions?limit=100").json()["sessions"]:
            client.delete(f"/api/sessions/{session['id']}?wait=30")
