from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

from tests.integration.redis_server import RedisServer
from workers.broker import mend_closing


@pytest.fixture
def waiting(own_redis: RedisServer) -> Iterator[Any]:
    """A broker's connection that has a message in hand, waits for the next one, and has a queue of its own for news."""
    connection: Any = Connection(own_redis.url)
    with connection.SimpleQueue("errands") as errands:
        errands.put("one")
    channel = connection.default_channel
    assert channel.basic_get("errands") is not None
    channel.basic_consume("errands", no_ack=False, callback=print, consumer_tag="consumer")
    connection.transport.cycle._register_BRPOP(channel)
    assert channel._in_poll
    news = connection.channel()
    Queue("news.of.one", Exchange("news", type="fanout"), auto_delete=True)(news).declare()
    assert news.client.ping()
    yield connection
    connection.close()


def test_a_connection_that_broke_while_it_waited_can_be_closed(waiting: Any, own_redis: RedisServer) -> None:
    mend_closing()
    own_redis.stop()
    # As Celery's consumer does.
    waiting.collect()
    waiting.close()
