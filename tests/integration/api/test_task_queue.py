"""What every TaskQueue does, the real one and its stand-in; then what only the real one can."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import redis

from app.task_queue import CeleryTaskQueue, TaskQueue
from fleet.errors import StoreUnavailable
from tests.doubles import RecordingQueue, SentTask
from tests.integration.redis_server import RedisServer

_QUEUES = ("captures", "sessions", "fleet@one.dq2", "fleet@two.dq2")


@dataclass(frozen=True)
class Observed:
    queue: TaskQueue
    sent: Callable[[], list[SentTask]]
    """What lies in the queues, each in the order of arrival."""


@pytest.fixture(params=["recording", "celery"])
def observed(request: pytest.FixtureRequest, redis_server: RedisServer) -> Iterator[Observed]:
    if request.param == "recording":
        recording = RecordingQueue()
        yield Observed(recording, lambda: recording.sent)
        return
    celery = CeleryTaskQueue(redis_server.url)
    yield Observed(celery, lambda: messages_in(redis_server))
    celery._celery.close()


def messages_in(server: RedisServer) -> list[SentTask]:
    with redis.Redis.from_url(server.url) as client:
        return [_task(json.loads(raw), queue) for queue in _QUEUES for raw in client.lrange(queue, 0, -1)[::-1]]


def _task(message: dict[str, object], queue: str) -> SentTask:
    headers, body = message["headers"], message["body"]
    assert isinstance(headers, dict)
    assert isinstance(body, str)
    positional, named, _ = json.loads(base64.b64decode(body))
    assert named == {}
    (argument,) = positional
    return SentTask(headers["task"], argument, queue)


def test_a_capture_goes_to_the_queue_that_every_worker_pulls(observed: Observed) -> None:
    observed.queue.send_capture("job_1")

    assert observed.sent() == [SentTask("fleet.run_capture", "job_1", "captures")]


def test_a_creation_goes_to_the_queue_of_workers_with_room(observed: Observed) -> None:
    observed.queue.send_session_creation("ses_1")

    assert observed.sent() == [SentTask("fleet.run_session_job", "ses_1", "sessions")]


def test_a_session_job_goes_to_the_worker_that_holds_the_session(observed: Observed) -> None:
    observed.queue.send_session_job("ses_1", "fleet@one")

    assert observed.sent() == [SentTask("fleet.run_session_job", "ses_1", "fleet@one.dq2")]


def test_the_queues_of_two_workers_are_two(observed: Observed) -> None:
    observed.queue.send_session_job("ses_1", "fleet@one")
    observed.queue.send_session_job("ses_2", "fleet@two")

    assert [(task.argument, task.queue) for task in observed.sent()] == [
        ("ses_1", "fleet@one.dq2"),
        ("ses_2", "fleet@two.dq2"),
    ]


def test_tasks_lie_in_their_queue_in_the_order_in_which_they_were_sent(observed: Observed) -> None:
    for number in range(5):
        observed.queue.send_capture(f"job_{number}")

    assert [task.argument for task in observed.sent()] == [f"job_{number}" for number in range(5)]


def test_the_same_task_sent_twice_lies_there_twice(observed: Observed) -> None:
    observed.queue.send_session_job("ses_1", "fleet@one")
    observed.queue.send_session_job("ses_1", "fleet@one")

    assert len(observed.sent()) == 2


@pytest.fixture
def celery_queue(own_redis: RedisServer) -> Iterator[CeleryTaskQueue]:
    queue = CeleryTaskQueue(own_redis.url)
    yield queue
    queue._celery.close()


def test_a_broker_that_is_down_is_an_unavailable_store(celery_queue: CeleryTaskQueue, own_redis: RedisServer) -> None:
    celery_queue.send_capture("job_1")
    own_redis.stop()

    with pytest.raises(StoreUnavailable):
        celery_queue.send_capture("job_2")


def test_a_broker_that_was_never_there_is_an_unavailable_store(
    celery_queue: CeleryTaskQueue, own_redis: RedisServer
) -> None:
    own_redis.stop()

    with pytest.raises(StoreUnavailable):
        celery_queue.send_capture("job_1")


def test_a_broker_that_is_back_takes_tasks_again(celery_queue: CeleryTaskQueue, own_redis: RedisServer) -> None:
    celery_queue.send_capture("job_1")
    own_redis.stop()
    with pytest.raises(StoreUnavailable):
        celery_queue.send_capture("job_2")
    own_redis.start()
    celery_queue.send_capture("job_3")

    assert [task.argument for task in messages_in(own_redis)] == ["job_1", "job_3"]


def test_a_broker_without_memory_is_an_unavailable_store(celery_queue: CeleryTaskQueue, own_redis: RedisServer) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory", "1")

    with pytest.raises(StoreUnavailable):
        celery_queue.send_capture("job_1")
