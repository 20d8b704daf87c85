"""A message that a pool child works on: done with, back in its queue, or left for the worker to hand over."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from celery.exceptions import Reject
from kombu.exceptions import OperationalError

from fleet.errors import StoreUnavailable
from fleet.queues import queue_for_all
from workers.celery_app import app
from workers.child import store
from workers.interruptions import NoRoom, WorkerLeaves


@contextmanager
def message_in_hand(request: Any) -> Iterator[None]:
    """Raises Reject, so that Celery puts the message back, if the work could not be done or not be recorded."""
    try:
        yield
    except WorkerLeaves:
        # It stays among those that the worker has in hand, which are sent again: a worker that stops has closed
        # the channel by which it could give one back.
        return
    except StoreUnavailable as error:
        # The outcome could not be recorded, so the message must not be lost either.
        raise Reject(error, requeue=True) from error
    except NoRoom:
        _drop(request)
        # Soon this worker has left the queue; until then the message must not spin.
        time.sleep(random.uniform(0.1, 0.3))
        _send_again(request)
    else:
        _drop(request)


def _send_again(request: Any) -> None:
    """Under its own id. Not by rejecting it: a worker that stops has closed the channel that would take it back."""
    try:
        queue = queue_for_all(request.delivery_info["routing_key"])
        app.send_task(request.task, args=request.args, task_id=request.id, queue=queue)
    except OperationalError as error:
        raise Reject(error, requeue=True) from error


def _drop(request: Any) -> None:
    # One that stays is sent again if this worker is lost, and finds its work done.
    with suppress(StoreUnavailable):
        store().messages.drop(request.hostname, request.id)
