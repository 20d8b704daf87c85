"""What a worker held goes to where others can take it: when it stops, when it drains, when it is lost."""

from typing import Any

import structlog
from celery import Celery
from celery.utils.nodenames import worker_direct

from fleet.models.session import EndReason, SessionState
from fleet.queues import RESTORE_SESSION, RUN_SESSION_JOB, SESSIONS_QUEUE
from fleet.store import Store

_log = structlog.get_logger(__name__)


class Estate:
    """Every step can be done twice: whoever begins may be lost before the end, and another one does it all again.

    The worker may be back by then. So its slots stay: its own sweep gives back those that are not in use any more.
    """

    def __init__(self, app: Celery, store: Store, worker: str) -> None:
        self._app = app
        self._store = store
        self._worker = worker

    def hand_over(self, reason: EndReason) -> None:
        """All of it. `reason`: of the end of sessions that cannot be rebuilt. Raises StoreUnavailable."""
        for session_id in self._store.slots.holders(self._worker):
            self._hand_over_session(session_id, reason)
        self.send_messages_again()
        self._pass_on_wake_ups()
        self._store.workers.settle_estate(self._worker)

    def hand_over_drained(self) -> None:
        """The sessions whose contexts the worker has closed by itself. Raises StoreUnavailable."""
        for session_id in self._store.slots.holders(self._worker):
            session = self._store.sessions.get(session_id)
            if session is not None and session.state is SessionState.DRAINING:
                self._hand_over_session(session_id, EndReason.DRAINED)
                self._store.slots.release(self._worker, session_id)

    def _hand_over_session(self, session_id: str, reason: EndReason) -> None:
        session = self._store.sessions.get(session_id)
        if session is None or session.worker not in {None, self._worker} or session.state is SessionState.PENDING:
            # Over, elsewhere, or created by a message that is sent again.
            return
        checkpoint = self._store.checkpoints.get(session_id)
        if checkpoint is not None and checkpoint.failure:
            self._store.sessions.end(session_id, reason)
            _log.error("session lost", session=session_id, reason=reason.value, cause=checkpoint.failure)
            return
        self._store.session_moves.give_up(session_id, self._worker)
        self._app.send_task(RESTORE_SESSION, args=[session_id], queue=SESSIONS_QUEUE)
        _log.info("session handed over", session=session_id, by=self._worker)

    def send_messages_again(self) -> None:
        """Those that the worker had in hand, under their own ids. Raises StoreUnavailable."""
        for message in self._store.messages.in_hand(self._worker):
            self._app.send_task(message.task, args=[message.argument], queue=message.queue, task_id=message.id)
            self._store.messages.drop(self._worker, message.id)
            _log.info("message sent again", message=message.id, task=message.task, of=self._worker)

    def _pass_on_wake_ups(self) -> None:
        """Those in its own queue: whoever takes them knows where the session is by now, or that it has ended."""
        connection: Any
        with self._app.connection_for_write() as connection:
            queue = worker_direct(self._worker)(connection.default_channel)
            while (wake_up := queue.get()) is not None:
                args, *_ = wake_up.payload
                self._app.send_task(RUN_SESSION_JOB, args=args, queue=SESSIONS_QUEUE, task_id=wake_up.headers["id"])
                wake_up.ack()
