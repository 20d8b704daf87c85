import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from fleet.settings import Settings
from fleet.store import open_store
from fleet.store.connection import RedisClient
from fleet.store.notifications import Notifications
from tests.integration.redis_server import RedisServer
from tests.polling import eventually


@dataclass
class Ear:
    """What was heard, and how often the connection was new."""

    heard: list[str] = field(default_factory=list)
    gaps: int = 0

    def note_gap(self) -> None:
        self.gaps += 1


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture(params=[0, 6], ids=["impatient", "patient"])
def client(own_redis: RedisServer, settings: Settings, request: pytest.FixtureRequest) -> Iterator[RedisClient]:
    """A patient one connects again by itself, without a word."""
    opened = open_store(settings.model_copy(update={"redis_url": own_redis.url}), retries=request.param).client
    yield opened
    opened.close()


@pytest.fixture
def listening(client: RedisClient, ear: Ear) -> Iterator[Notifications]:
    channels = {name: (lambda data, name=name: ear.heard.append(f"{name}: {data}")) for name in ("one", "two")}
    notifications = Notifications(client, channels, on_gap=ear.note_gap)
    notifications.start()
    eventually(lambda: ear.gaps)
    yield notifications
    notifications.stop()


@pytest.mark.usefixtures("listening")
def test_a_message_is_heard_on_its_channel(client: RedisClient, ear: Ear) -> None:
    client.publish("two", "job_1")

    eventually(lambda: ear.heard == ["two: job_1"])


@pytest.mark.usefixtures("listening")
def test_messages_are_heard_in_the_order_in_which_they_were_sent(client: RedisClient, ear: Ear) -> None:
    for number in range(20):
        client.publish("one", number)

    eventually(lambda: len(ear.heard) == 20)
    assert ear.heard == [f"one: {number}" for number in range(20)]


@pytest.mark.usefixtures("listening")
def test_messages_on_other_channels_are_not_heard(client: RedisClient, ear: Ear) -> None:
    client.publish("three", "not for us")
    client.publish("one", "for us")

    eventually(lambda: ear.heard)
    assert ear.heard == ["one: for us"]


@pytest.mark.usefixtures("listening")
def test_the_first_connection_is_told_as_a_gap(ear: Ear) -> None:
    assert ear.gaps == 1


@pytest.mark.usefixtures("listening")
def test_a_restart_of_redis_is_told_as_a_gap_and_messages_are_heard_again(
    client: RedisClient, ear: Ear, own_redis: RedisServer
) -> None:
    own_redis.stop()
    own_redis.start()
    eventually(lambda: ear.gaps == 2)
    client.publish("one", "after")

    eventually(lambda: ear.heard == ["one: after"])


def test_who_starts_before_redis_hears_once_it_is_there(client: RedisClient, ear: Ear, own_redis: RedisServer) -> None:
    own_redis.stop()
    notifications = Notifications(client, {"one": ear.heard.append}, on_gap=ear.note_gap)
    notifications.start()
    own_redis.start()
    eventually(lambda: ear.gaps)
    client.publish("one", "hello")

    eventually(lambda: ear.heard == ["hello"])
    notifications.stop()


def test_after_a_stop_nobody_listens(listening: Notifications, client: RedisClient) -> None:
    listening.stop()

    assert client.publish("one", "too late") == 0


@pytest.mark.parametrize("client", [0], indirect=True)
def test_a_stop_while_redis_is_away_ends_the_thread(listening: Notifications, own_redis: RedisServer) -> None:
    own_redis.stop()
    listening.stop()

    assert not listening._thread.is_alive()


def test_a_channel_may_be_taken_while_it_listens_and_says_when_it_is_open(
    listening: Notifications, client: RedisClient
) -> None:
    heard: list[str] = []
    opened = threading.Event()
    listening.listen("second", heard.append, on_open=opened.set)
    assert opened.wait(10)
    client.publish("second", "message")
    eventually(lambda: heard == ["message"])


def test_a_channel_that_was_left_is_heard_no_more_and_one_that_is_taken_again_is(
    listening: Notifications, client: RedisClient
) -> None:
    heard: list[str] = []
    for _ in range(2):
        opened = threading.Event()
        listening.listen("channel", heard.append, on_open=opened.set)
        assert opened.wait(10)
        client.publish("channel", "message")
        eventually(lambda: heard == ["message"])
        listening.forget("channel")
        eventually(lambda: client.pubsub_numsub("channel")[0][1] == 0)
        client.publish("channel", "unheard")
        heard.clear()


def test_one_that_is_left_and_taken_at_once_says_anew_that_it_is_open(listening: Notifications) -> None:
    for _ in range(20):
        opened = threading.Event()
        listening.forget("channel")
        listening.listen("channel", lambda _: None, on_open=opened.set)
        assert opened.wait(10)
