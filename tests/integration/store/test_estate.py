"""What a lost worker leaves in a real broker."""

import json
from collections.abc import Iterator

import pytest
from celery import Celery
from celery.utils.nodenames import worker_direct

from fleet.models.session import EndReason
from fleet.queues import RUN_SESSION_JOB, SESSIONS_QUEUE
from fleet.settings import Settings
from fleet.store import Store
from fleet.store.messages import Message
from workers.estate import Estate

LOST = "fleet@lost"


@pytest.fixture
def celery(settings: Settings) -> Iterator[Celery]:
    with Celery("fleet", broker=settings.redis_url) as app:
        app.conf.task_ignore_result = True
        yield app


def shared(store: Store) -> list[tuple[str, str]]:
    """Id and task of each message that any worker takes."""
    found = [json.loads(text)["headers"] for text in store.client.lrange(SESSIONS_QUEUE, 0, -1)]
    return [(headers["id"], headers["task"]) for headers in found]


def test_wake_ups_that_wait_for_a_lost_worker_go_where_any_worker_takes_them(celery: Celery, store: Store) -> None:
    queue = worker_direct(LOST)
    for message_id in ("id-1", "id-2"):
        celery.send_task(RUN_SESSION_JOB, args=["ses_a"], queue=queue, task_id=message_id)
    Estate(celery, store, LOST).hand_over(EndReason.WORKER_LOST)

    assert sorted(shared(store)) == [("id-1", RUN_SESSION_JOB), ("id-2", RUN_SESSION_JOB)]
    assert not store.client.exists(queue.name)
    assert not store.client.exists("unacked")


def test_what_a_lost_worker_had_in_hand_is_sent_again_under_its_own_id(celery: Celery, store: Store) -> None:
    store.messages.take(LOST, Message("id-1", SESSIONS_QUEUE, RUN_SESSION_JOB, "ses_a"))
    Estate(celery, store, LOST).hand_over(EndReason.WORKER_LOST)

    assert shared(store) == [("id-1", RUN_SESSION_JOB)]
    assert store.messages.in_hand(LOST) == []
