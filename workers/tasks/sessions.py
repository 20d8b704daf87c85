"""Jobs of a session: the message is a wake-up, the session's own list says which job is next."""

from typing import Any

from celery.utils.nodenames import worker_direct

from fleet.queues import RESTORE_SESSION, RUN_SESSION_JOB
from workers.celery_app import app
from workers.child import session_runner
from workers.tasks.message import message_in_hand


@app.task(name=RUN_SESSION_JOB, bind=True)
def run_session_job(task: Any, session_id: str) -> None:
    # The message id stays the same when the message comes back after a child's death, so the new
    # runner is let through the lock that the dead one left.
    with message_in_hand(task.request):
        sessions = session_runner()
        _wake(session_id, sessions.run_job(session_id, runner=task.request.id, worker=task.request.hostname))


@app.task(name=RESTORE_SESSION, bind=True)
def restore_session(task: Any, session_id: str) -> None:
    with message_in_hand(task.request):
        _wake(session_id, session_runner().restore(session_id, worker=task.request.hostname))


def _wake(session_id: str, worker: str | None) -> None:
    if worker is not None:
        run_session_job.apply_async([session_id], queue=worker_direct(worker))
