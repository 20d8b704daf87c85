"""A whole fleet and the example site, as `make up` and `python -m examples.site` start them."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.system.command import FleetCommand, install
from tests.system.person import a_browser
from tests.system.processes import Launched, python, wait_for_line

_START_SECONDS = 60
_PATIENCE_MS = 60_000


@dataclass(frozen=True)
class RunningFleet:
    launched: Launched
    url: str
    flower: str


def start_fleet(folder: Path, *, errors: Path | None = None, **environment: str) -> RunningFleet:
    """`errors`: for all that the programs log; None: with the rest. `environment`: more of it, or other."""
    bind, flower = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    environment = {
        "FLEET_BIND": bind,
        "FLEET_EGRESS_ALLOW": "127.0.0.1",
        "FLEET_SESSION_RATE": "1000/minute",
        "FLEET_FLOWER_BIND": flower,
        "DATA": str(folder / "data"),
        "CONCURRENCY": "4",
        **environment,
    }
    launched = Launched(python("-m", "launcher", "up"), environment, log=folder / "up.log", errors=errors)
    try:
        wait_for_line(launched, "Capture Fleet is up", _START_SECONDS)
    except BaseException:
        launched.kill_all()
        raise
    return RunningFleet(launched, f"http://{bind}", f"http://{flower}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    running = start_fleet(tmp_path_factory.mktemp("fleet"))
    yield running
    running.launched.kill_all()


@pytest.fixture(scope="module", autouse=True)
def room_for_the_next(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever sessions a module's tests leave, ended or failed: all modules share one fleet, and it has ten places."""
    fleet: RunningFleet | None = request.getfixturevalue("fleet") if _asks_for_fleet(request.node) else None
    yield
    if fleet is not None:
        with httpx.Client(base_url=fleet.url, timeout=90) as api:
            for session in api.get("/api/sessions?limit=100").json()["sessions"]:
                api.delete(f"/api/sessions/{session['id']}?wait=60")


def _asks_for_fleet(module: pytest.Module) -> bool:
    tests = [test for test in module.session.items if isinstance(test, pytest.Function) and test.parent is module]
    return any("fleet" in test.fixturenames for test in tests)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the example site."""
    log = tmp_path_factory.mktemp("site") / "site.log"
    launched = Launched(python("-m", "examples.site", "--bind", "127.0.0.1:0"), {}, log=log)
    yield wait_for_line(launched, "http://", _START_SECONDS).strip()
    launched.kill_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=_PATIENCE_MS)
    with a_browser() as running:
        yield running


@pytest.fixture
def api(fleet: RunningFleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet.url, timeout=90) as client:
        yield client


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the client and its command were installed into."""
    return install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def command(installed: Path, fleet: RunningFleet, tmp_path: Path) -> FleetCommand:
    return FleetCommand(installed, tmp_path, fleet.url)
