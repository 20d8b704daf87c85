"""The way into a shared queue: a place, then whatever has to be kept and sent, or nothing at all."""

from collections.abc import Callable
from math import ceil

from app.services.accepted import Accepted
from fleet.errors import NoWorkers, QueueFull, StoreUnavailable
from fleet.models.job import Job
from fleet.queues import SharedQueue
from fleet.store import Store

_RETRY_AFTER_MAX_SECONDS = 300
# A queue that has just become full is worth asking again when this part of it has been worked off.
_SHARE_WORKED_OFF = 0.01


class SharedQueueService:
    def __init__(self, store: Store) -> None:
        self._store = store

    def accept(self, queue: SharedQueue, job: Job, request_json: str, send: Callable[[], None]) -> Accepted:
        """Raises NoWorkers, QueueFull or StoreUnavailable; then nothing will run.

        `send` keeps what else the job needs and sends its message.
        """
        if not self._store.workers.are_any_alive():
            raise NoWorkers("No worker is alive to run the job. Try again soon, or start a worker.", retry_after=5)
        if not self._store.waiting.try_join(queue, job.id, job.queued_at):
            message = "As many jobs wait in this queue as FLEET_QUEUE_LIMIT allows. Try again later."
            raise QueueFull(message, retry_after=self._retry_after(queue))
        try:
            self._store.jobs.create(job, request_json)
            send()
        except StoreUnavailable:
            self._store.waiting.try_leave(queue, job.id)
            self._store.jobs.try_discard(job.id)
            raise
        return Accepted(job.evolve(position=self._store.waiting.position(queue, job.id)))

    def _retry_after(self, queue: SharedQueue) -> int:
        """Seconds, from the measured throughput; a queue that does not move is asked again in five minutes."""
        per_second = self._store.throughput.per_second(queue)
        worked_off = max(1.0, self._store.waiting.length(queue) * _SHARE_WORKED_OFF)
        seconds = ceil(worked_off / per_second) if per_second else _RETRY_AFTER_MAX_SECONDS
        return min(max(1, seconds), _RETRY_AFTER_MAX_SECONDS)
