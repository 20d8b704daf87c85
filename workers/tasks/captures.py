"""Captures without a session: one message, one job."""

from typing import Any

from celery.exceptions import Reject

from fleet.errors import StoreUnavailable
from fleet.queues import RUN_CAPTURE
from workers.celery_app import app
from workers.child import job_runner


@app.task(name=RUN_CAPTURE, bind=True)
def run_capture(task: Any, job_id: str) -> None:
    try:
        job_runner().run_capture(job_id, worker=task.request.hostname)
    except StoreUnavailable as error:
        # The outcome could not be recorded, so the message must not be lost either.
        raise Reject(error, requeue=True) from error
