"""Real parts for integration tests: Redis, settings that point at it, a store on it, the example site."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.site.server import ExampleSite
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.redis_server import RedisServer
from tests.integration.s3_server import BUCKET, S3Server
from tests.integration.tiny_disk import tiny_disk as mounted_disk


def missing(service: str) -> None:
    """A missing service skips on a laptop and fails in CI."""
    message = f"{service} is not installed; scripts/setup installs it"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
    except FileNotFoundError:
        missing("redis-server")
    yield server
    server.stop()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """An empty Redis. A test that stops it takes `own_redis`."""
    shared_redis.flush()
    return shared_redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may stop and start again; what it holds survives on disk."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """One that the test may stop and start again."""
    server = S3Server(tmp_path)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3_url(shared_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix that nobody has used."""
    for name, value in shared_s3.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{secrets.token_hex(8)}"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    with mounted_disk(tmp_path / "disk") as mount:
        if mount is None:
            pytest.skip("only root may mount a file system")
        yield mount


@pytest.fixture
def settings(redis_server: RedisServer, tmp_path: Path) -> Settings:
    return Settings(
        redis_url=redis_server.url, artifacts_url=f"file:{tmp_path / 'artifacts'}", session_rate="1000/minute"
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings, retries=0)
    yield opened
    opened.client.close()


@pytest.fixture(scope="session")
def site() -> Iterator[ExampleSite]:
    with ExampleSite() as running:
        yield running
