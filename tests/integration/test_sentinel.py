"""A Redis that fails over: store, queue and notifications go on with the new master."""

import shutil
from collections.abc import Callable, Iterator

import pytest

from app.task_queue import CeleryTaskQueue
from fleet.errors import StoreUnavailable
from fleet.settings import Settings
from fleet.store import Store, open_store
from fleet.store.notifications import Notifications
from tests.integration.conftest import missing
from tests.integration.sentinel import WatchedRedis, watched_redis
from tests.polling import eventually


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRedis]:
    if shutil.which("redis-server") is None:
        missing("redis-server")
    with watched_redis(tmp_path_factory.mktemp("sentinel"), password="secret/word") as running:
        yield running


@pytest.fixture
def store(watched: WatchedRedis) -> Iterator[Store]:
    opened = open_store(Settings(redis_url=watched.url), retries=14)
    yield opened
    opened.client.close()


def test_the_store_is_where_the_sentinels_say(store: Store, watched: WatchedRedis) -> None:
    assert store.client.ping()
    assert store.database == 3
    assert _is_at(store, watched.master)


def test_store_queue_and_notifications_follow_the_master(
    store: Store, watched: WatchedRedis, request: pytest.FixtureRequest
) -> None:
    queue = CeleryTaskQueue(watched.url)
    request.addfinalizer(queue._celery.close)
    heard: list[str] = []
    notifications = Notifications(store.client, {"channel": heard.append}, on_gap=lambda: heard.append("gap"))
    request.addfinalizer(notifications.stop)
    notifications.start()
    eventually(lambda: heard == ["gap"])
    store.idempotency.claim("before", "request")
    queue.send_capture("job_before")
    eventually(lambda: _replicas_have_all(store))

    watched.fail_over()

    # Until it is told that it is the master no longer, the old one takes what will be lost.
    eventually(lambda: _does(lambda: _is_at(store, watched.master)), seconds=60)
    store.idempotency.claim("after", "request")
    eventually(lambda: _does(lambda: queue.send_capture("job_after")), seconds=60)
    assert store.client.llen("captures") == 2
    eventually(lambda: heard.count("gap") > 1, seconds=30)
    store.client.publish("channel", "word")
    eventually(lambda: heard[-1] == "word")


def _replicas_have_all(store: Store) -> bool:
    replication = store.client.info("replication")
    return bool(replication["master_repl_offset"] == replication["slave0"]["offset"])


def _is_at(store: Store, address: tuple[str, int]) -> bool:
    return bool(store.client.info("server")["tcp_port"] == int(address[1]))


def _does(work: Callable[[], bool | None]) -> bool:
    try:
        return work() is not False
    except StoreUnavailable:
        return False
