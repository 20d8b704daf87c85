"""Looks which jobs, batches and sessions have ended whose webhooks are expected, for the whole fleet."""

import json
from datetime import timedelta
from typing import Any

import structlog

from fleet.clock import utc_now
from fleet.models.batch import BatchState
from fleet.models.webhook import ExpectedWebhook, WebhookEvent
from fleet.store import Store

_log = structlog.get_logger(__name__)

_AT_ONCE = 500
# What is expected is kept before its subject; whoever accepts that takes no longer.
_ACCEPTANCE = timedelta(seconds=60)
_BODY_BYTES_MAX = 64 * 1024


class WebhookEnds:
    def __init__(self, store: Store) -> None:
        self._store = store

    def look(self) -> int:
        """How many webhooks are to be delivered because of it."""
        if not self._store.webhooks.may_look():
            return 0
        expected = self._store.webhooks.to_look_at(limit=_AT_ONCE)
        made = 0
        for event, look_at in (
            (WebhookEvent.JOB_ENDED, self._ended_jobs),
            (WebhookEvent.BATCH_ENDED, self._ended_batches),
            (WebhookEvent.SESSION_ENDED, self._ended_sessions),
        ):
            of_event = {one.subject_id: one for one in expected if one.event is event}
            for subject_id, told in look_at(of_event).items() if of_event else ():
                made += self._store.webhooks.make(of_event[subject_id], _body(of_event[subject_id], told))
        return made

    def _ended_jobs(self, expected: dict[str, ExpectedWebhook]) -> dict[str, dict[str, Any]]:
        """What is to be told of each that has ended, by its id. So do all of these."""
        ended = {}
        for job_id, state in self._store.jobs.states(list(expected)).items():
            if state is None:
                self._forget_if_old(expected[job_id])
            elif state.is_final and (job := self._store.jobs.get(job_id)):
                ended[job_id] = job.model_dump(mode="json", exclude={"request_id"})
        return ended

    def _ended_batches(self, expected: dict[str, ExpectedWebhook]) -> dict[str, dict[str, Any]]:
        ended = {}
        for batch_id, one in expected.items():
            batch = self._store.batches.get(batch_id)
            if batch is None:
                self._forget_if_old(one)
            elif batch.state is BatchState.ENDED and batch.finished_at != one.earlier_end:
                ended[batch_id] = batch.model_dump(mode="json", exclude={"request_id"})
        return ended

    def _ended_sessions(self, expected: dict[str, ExpectedWebhook]) -> dict[str, dict[str, Any]]:
        ended = {}
        remaining = self._store.sessions.remaining(list(expected))
        for session_id in expected.keys() - remaining.keys():
            end = self._store.sessions.ending(session_id)
            if end is None:
                self._forget_if_old(expected[session_id])
            else:
                facts = end.model_dump(mode="json", exclude={"session_id"})
                ended[session_id] = {"id": session_id, **facts}
        return ended

    def _forget_if_old(self, expected: ExpectedWebhook) -> None:
        if expected.since < utc_now() - _ACCEPTANCE:
            _log.info(
                "webhook forgotten: what it was to tell of was not accepted, or is gone", subject=expected.subject_id
            )
            self._store.webhooks.forget(expected)


def _body(expected: ExpectedWebhook, subject: dict[str, Any]) -> str:
    """At most 64 KiB: a result that is longer is left out, for whoever is told can ask for it."""
    name = expected.event.value.partition(".")[0]
    told = {"id": expected.id, "event": expected.event.value, name: subject}
    body = json.dumps(told)
    if len(body) > _BODY_BYTES_MAX:
        body = json.dumps({**told, name: {**subject, "result": None}, "truncated": True})
    return body
