"""One fleet that the tests of this folder share, on a Redis that nobody flushes under it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.settings import Settings
from tests.integration.conftest import missing
from tests.integration.redis_server import RedisServer
from tests.integration.worker.running_fleet import RunningFleet, running_fleet
from tests.pages.server import PagesServer


@pytest.fixture(scope="package", autouse=True)
def chrome_is_installed() -> None:
    try:
        Settings().chrome_executable()
    except FileNotFoundError:
        missing("chromium-headless-shell")


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    """A test leaves its worker alive and no job in it. A test that ends the worker takes `own_fleet`."""
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        redis.start()
    except FileNotFoundError:
        missing("redis-server")
    try:
        with running_fleet(redis.url, tmp_path_factory.mktemp("fleet")) as running:
            yield running
    finally:
        redis.stop()


@pytest.fixture
def own_fleet(own_redis: RedisServer, tmp_path: Path) -> Iterator[RunningFleet]:
    with running_fleet(own_redis.url, tmp_path) as running:
        yield running


@pytest.fixture(scope="package")
def pages_server() -> Iterator[PagesServer]:
    with PagesServer() as running:
        yield running


@pytest.fixture
def pages(pages_server: PagesServer) -> Iterator[PagesServer]:
    """With gates of its own for each test."""
    yield pages_server
    pages_server.forget_gates()
