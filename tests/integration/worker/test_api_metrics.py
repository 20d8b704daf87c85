"""/metrics of an API of several processes, which tell the same whichever is asked."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fleet.settings import Settings
from tests.integration.redis_server import RedisServer
from tests.integration.worker.api_process import Api
from tests.integration.worker.processes import alive, children
from tests.polling import eventually
from tests.scrape import Scrape

_REQUESTS = 40


@pytest.fixture
def api(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Of three processes."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 3")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Api(Settings(redis_url=redis_server.url, api_threads=8), tmp_path) as running:
        eventually(lambda: len(children(running.pid)) == 3, seconds=30)
        yield running


def requests(api: Api) -> float:
    page = Scrape(api.get("/metrics").raise_for_status().text)
    return page.value("fleet_http_requests_total", route="/api/jobs") or 0.0


def replaced(api: Api, pid: int) -> bool:
    return not alive([pid]) and len(children(api.pid)) == 3


def test_every_process_tells_what_all_have_answered(api: Api) -> None:
    for _ in range(_REQUESTS):
        api.get("/api/jobs")

    # Whichever process is asked: nine scrapes reach more than one.
    assert {requests(api) for _ in range(9)} == {_REQUESTS}


def test_what_a_process_has_counted_outlives_it_and_takes_no_more_files(api: Api, tmp_path: Path) -> None:
    for _ in range(_REQUESTS):
        api.get("/api/jobs")
    for pid in children(api.pid):
        os.kill(pid, signal.SIGKILL)
        eventually(partial(replaced, api, pid), seconds=30)
    for _ in range(_REQUESTS):
        eventually(lambda: api.get("/api/jobs").is_success, seconds=30)

    assert requests(api) == 2 * _REQUESTS
    (folder,) = tmp_path.glob("fleet-api-*")
    assert {path.stem.partition("_")[2] for path in folder.iterdir()} <= {f"worker-{number}" for number in range(3)}


def test_an_api_that_stops_leaves_no_files(api: Api, tmp_path: Path) -> None:
    assert list(tmp_path.glob("fleet-api-*")) != []
    os.kill(api.pid, signal.SIGTERM)
    eventually(lambda: not alive([api.pid]), seconds=60)

    assert list(tmp_path.glob("fleet-api-*")) == []


def test_what_a_killed_api_leaves_is_removed_by_the_next(api: Api, tmp_path: Path) -> None:
    (left,) = tmp_path.glob("fleet-api-*")
    api.kill()
    assert left.exists()
    api.start()
    (folder,) = tmp_path.glob("fleet-api-*")

    assert folder != left


def test_an_api_that_starts_leaves_the_files_of_others_alone(
    api: Api, redis_server: RedisServer, tmp_path: Path
) -> None:
    with Api(Settings(redis_url=redis_server.url, api_threads=8), tmp_path):
        assert len(list(tmp_path.glob("fleet-api-*"))) == 2
        api.get("/api/jobs")

        assert requests(api) == 1
