"""Captures without a session: one message, one job."""

from typing import Any

from fleet.queues import RUN_CAPTURE
from workers.celery_app import app
from workers.child import job_runner


@app.task(name=RUN_CAPTURE, bind=True)
def run_capture(task: Any, job_id: str) -> None:
    job_runner().run_capture(job_id, worker=task.request.hostname)
