"""The seam to Celery: tasks are sent by name, so that the API imports nothing of the workers."""

from typing import Protocol

from celery import Celery
from celery.utils.nodenames import worker_direct
from kombu.exceptions import OperationalError

from fleet.errors import StoreUnavailable
from fleet.models.job import Job
from fleet.queues import CAPTURES_QUEUE, RUN_CAPTURE, RUN_SESSION_JOB, SESSIONS_QUEUE
from fleet.redis_address import broker


class TaskQueue(Protocol):
    """Every call raises StoreUnavailable if the broker does not take the message."""

    def send_capture(self, job_id: str) -> None:
        """To any worker."""

    def send_session_creation(self, session_id: str, job: Job | None = None) -> None:
        """To any worker."""

    def send_session_job(self, session_id: str, worker: str, job: Job | None = None) -> None:
        """To the worker that holds the session. `job`: for which the session is woken, for people to see."""


class CeleryTaskQueue:
    def __init__(self, redis_url: str) -> None:
        broker_url, options = broker(redis_url)
        self._celery = Celery("fleet", broker=broker_url)
        self._celery.conf.update(
            task_serializer="json",
            task_ignore_result=True,
            task_send_sent_event=True,
            # A client waits: better a quick 503 than a long silence.
            broker_connection_timeout=2,
            broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2, "max_retries": 1, **options},
        )

    def send_capture(self, job_id: str) -> None:
        self._send(RUN_CAPTURE, job_id, queue=CAPTURES_QUEUE)

    def send_session_creation(self, session_id: str, job: Job | None = None) -> None:
        self._send(RUN_SESSION_JOB, session_id, queue=SESSIONS_QUEUE, kwargsrepr=_shown(job))

    def send_session_job(self, session_id: str, worker: str, job: Job | None = None) -> None:
        self._send(RUN_SESSION_JOB, session_id, queue=worker_direct(worker), kwargsrepr=_shown(job))

    def _send(self, task: str, argument: str, **route: object) -> None:
        try:
            self._celery.send_task(task, args=[argument], retry=False, **route)
        except OperationalError as error:
            message = "The queue does not answer. Try again in a few seconds."
            raise StoreUnavailable(message) from error


def _shown(job: Job | None) -> str:
    """What Flower shows beside the id of the session."""
    return f"{{'kind': '{job.kind.value}', 'job': '{job.id}'}}" if job else "{}"
