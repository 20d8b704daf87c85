"""Jobs of a session: the message is a wake-up, the session's own list says which job is next."""

import random
import time
from typing import Any

from celery.exceptions import Reject
from celery.utils.nodenames import worker_direct

from fleet.errors import StoreUnavailable
from fleet.queues import RUN_SESSION_JOB
from workers.celery_app import app
from workers.child import job_runner
from workers.job_runner import NoRoom


@app.task(name=RUN_SESSION_JOB, bind=True)
def run_session_job(task: Any, session_id: str) -> None:
    worker: str = task.request.hostname
    # The message id stays the same when the message comes back after a child's death, so the new
    # runner is let through the lock that the dead one left.
    try:
        waiting = job_runner().run_session_job(session_id, runner=task.request.id, worker=worker)
    except StoreUnavailable as error:
        # The outcome could not be recorded, so the message must not be lost either.
        raise Reject(error, requeue=True) from error
    except NoRoom as error:
        # Soon this worker has left the queue; until then the message must not spin.
        time.sleep(random.uniform(0.1, 0.3))
        raise Reject(error, requeue=True) from error
    if waiting:
        run_session_job.apply_async([session_id], queue=worker_direct(worker))
