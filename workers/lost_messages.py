"""Jobs that wait, and about which no message is left, are sent again: the record is what was accepted, not the message.

The API may have been killed, or Redis gone, between the two; and Redis may lose its last second.
"""

import random
from datetime import timedelta
from typing import Any

import structlog
from kombu.exceptions import OperationalError

from fleet.clock import utc_now
from fleet.errors import StoreUnavailable
from fleet.models.job import Job, JobState
from fleet.queues import CAPTURE_QUEUES, RUN_CAPTURE, RUN_SESSION_JOB, SHARED_QUEUES, SharedQueue
from workers.regular_look import RegularLook

_log = structlog.get_logger(__name__)

# A message takes milliseconds to come after its record; what has none keeps its client waiting.
_AGE = timedelta(seconds=20)
_AT_ONCE = 100


class LostMessages(RegularLook):
    # Not all workers look at once; two that do send a second copy, which finds nothing to do.
    seconds = random.uniform(10.0, 15.0)

    def look(self, consumer: Any) -> None:
        try:
            for queue in SHARED_QUEUES:
                self._look_at(queue, consumer)
        except (StoreUnavailable, OperationalError) as error:
            _log.warning("lost messages not looked for", cause=str(error))

    def _look_at(self, queue: SharedQueue, consumer: Any) -> None:
        waiting = self.store.waiting.since_before(queue, utc_now() - _AGE, limit=_AT_ONCE)
        # One worker looks for all: in a large fleet it is much to read.
        if not waiting or not self.store.waiting.claim_look(queue):
            return
        # Those whose message waits have their turn yet.
        if _messages(queue, consumer):
            return
        in_hand = self._in_hand()
        for job_id in waiting:
            job = self.store.jobs.get(job_id)
            if job is None or job.state is not JobState.QUEUED:
                self.store.waiting.leave(queue, job_id)
            elif (argument := _argument(queue, job)) not in in_hand:
                task = RUN_CAPTURE if queue in CAPTURE_QUEUES else RUN_SESSION_JOB
                consumer.app.send_task(task, args=[argument], queue=queue)
                _log.warning("message was lost; sent again", job=job_id, queue=queue)

    def _in_hand(self) -> set[str]:
        """What the workers' messages are about."""
        return {message.argument for message in self.store.messages.in_hand(*self.store.workers.names())}


def _argument(queue: SharedQueue, job: Job) -> str:
    return job.id if queue in CAPTURE_QUEUES else job.session_id or ""


def _messages(queue: SharedQueue, consumer: Any) -> int:
    with consumer.app.connection_for_write() as connection:
        return int(connection.default_channel.queue_declare(queue).message_count)
