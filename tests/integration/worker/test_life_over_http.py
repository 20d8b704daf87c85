"""A session that nobody uses: its key ends, its context leaves Chrome, and the API tells why. All parts are real."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet import keys
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.redis_server import RedisServer
from tests.integration.worker.api_process import Api
from tests.integration.worker.observed_chrome import ObservedChrome
from tests.integration.worker.processes import kill
from tests.integration.worker.worker import Worker
from tests.polling import eventually

TTL = 3
NEVER = 3600
OFTEN = 1


@dataclass
class Fleet:
    api: Api
    worker: Worker
    chrome: ObservedChrome
    store: Store

    def session(self) -> str:
        """The path of one that runs, with a context in Chrome."""
        answer = self.api.post("/api/sessions?wait=60", {})
        assert answer.status_code == 201
        return f"/api/sessions/{answer.json()['session']['id']}"

    def ended_as(self, session: str) -> str | None:
        """Its end_reason once it is over."""
        answer = self.api.get(session)
        reason: str | None = answer.json()["error"]["details"]["end_reason"] if answer.status_code == 410 else None
        return reason

    def has_key(self, session: str) -> bool:
        return bool(self.store.client.exists(keys.session(session.rpartition("/")[2])))


Start = Callable[[RedisServer, int], Fleet]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a fleet of one worker on that Redis, which sweeps so often."""
    with ExitStack() as running:

        def start_fleet(redis: RedisServer, sweep_seconds: int) -> Fleet:
            chrome = ObservedChrome(tmp_path)
            settings = Settings(
                redis_url=redis.url,
                artifacts_url=f"file:{tmp_path / 'artifacts'}",
                session_ttl=TTL,
                sweep_seconds=sweep_seconds,
                chrome_path=chrome.path,
            )
            store = open_store(settings, retries=14)
            running.callback(store.client.close)
            worker = running.enter_context(Worker(settings, store, tmp_path))
            return Fleet(running.enter_context(Api(settings, tmp_path)), worker, chrome, store)

        yield start_fleet


@pytest.fixture
def silent_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One that does not tell of expired keys, and cannot be asked to."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder, "--rename-command", "CONFIG", "")
    server.start()
    yield server
    server.stop()


def test_an_idle_session_leaves_chrome_as_soon_as_its_key_ends_though_nothing_sweeps(
    start: Start, own_redis: RedisServer
) -> None:
    fleet = start(own_redis, NEVER)
    session = fleet.session()
    assert (fleet.chrome.contexts(), fleet.has_key(session)) == (1, True)
    eventually(lambda: fleet.chrome.contexts() == 0)
    assert not fleet.has_key(session)
    assert fleet.ended_as(session) == "idle"


def test_an_idle_session_leaves_chrome_by_the_sweep_when_redis_tells_nothing(
    start: Start, silent_redis: RedisServer
) -> None:
    fleet = start(silent_redis, OFTEN)
    session = fleet.session()
    assert "Redis does not tell of expired keys" in fleet.worker.log_text
    assert fleet.chrome.contexts() == 1
    eventually(lambda: fleet.chrome.contexts() == 0)
    assert not fleet.has_key(session)
    assert fleet.ended_as(session) == "idle"


def test_the_slot_of_an_idle_session_is_free_again(start: Start, own_redis: RedisServer) -> None:
    fleet = start(own_redis, NEVER)
    session = fleet.session()
    name = fleet.worker.name
    assert fleet.store.slots.holders(name) == [session.rpartition("/")[2]]
    eventually(lambda: fleet.store.slots.holders(name) == [])
    assert fleet.ended_as(session) == "idle"


def test_an_idle_session_ends_in_the_store_when_every_worker_is_gone(start: Start, own_redis: RedisServer) -> None:
    fleet = start(own_redis, OFTEN)
    session = fleet.session()
    # The host too, which would end its sessions if it had the time.
    kill([fleet.worker.host(), fleet.worker.pid])
    fleet.worker.wait()
    assert fleet.api.patch(session, {}).status_code == 200
    assert eventually(lambda: fleet.ended_as(session)) == "idle"
    assert not fleet.has_key(session)
