"""Captures without a session: one message, one job."""

from typing import Any

from fleet.queues import RUN_CAPTURE
from workers.celery_app import app
from workers.child import capture_runner
from workers.tasks.message import message_in_hand


@app.task(name=RUN_CAPTURE, bind=True)
def run_capture(task: Any, job_id: str) -> None:
    with message_in_hand(task.request):
        redelivered = bool(task.request.delivery_info.get("redelivered"))
        capture_runner().run(job_id, worker=task.request.hostname, redelivered=redelivered)
