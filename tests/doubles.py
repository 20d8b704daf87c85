"""Stand-ins for the seams of the product. A contract test holds each to what the real part does."""

from dataclasses import dataclass

from fleet.models.job import Job
from fleet.queues import CAPTURES_QUEUE, RUN_CAPTURE, RUN_SESSION_JOB, SESSIONS_QUEUE


@dataclass(frozen=True)
class SentTask:
    task: str
    argument: str
    queue: str


class RecordingQueue:
    """Keeps what it is sent. tests/integration/api/test_task_queue.py holds it to app.task_queue.TaskQueue."""

    def __init__(self) -> None:
        self.sent: list[SentTask] = []

    def send_capture(self, job_id: str) -> None:
        self.sent.append(SentTask(RUN_CAPTURE, job_id, CAPTURES_QUEUE))

    def send_session_creation(self, session_id: str, job: Job | None = None) -> None:  # noqa: ARG002  # only shown
        self.sent.append(SentTask(RUN_SESSION_JOB, session_id, SESSIONS_QUEUE))

    def send_session_job(self, session_id: str, worker: str, job: Job | None = None) -> None:  # noqa: ARG002
        self.sent.append(SentTask(RUN_SESSION_JOB, session_id, f"{worker}.dq2"))
