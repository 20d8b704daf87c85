"""Job records: created once, moved only from the state that the caller saw."""

import contextlib
from datetime import timedelta
from typing import Any, cast

from fleet import keys
from fleet.errors import StoreUnavailable
from fleet.models.job import JOB_MOVES, Job, JobState
from fleet.queues import queue_of
from fleet.store.connection import RedisClient, script
from fleet.store.events import event_json
from fleet.store.index import Cursor, Page, read_page

# Newest job ids that the index can list.
_INDEX_LENGTH = 10_000


class JobStore:
    def __init__(self, client: RedisClient, *, ttl_seconds: int) -> None:
        self._client = client
        self._ttl = timedelta(seconds=ttl_seconds)
        self._move = script(client, "move_job")

    def create(self, job: Job, request_json: str) -> None:
        """Keeps the record and, apart from it, what was asked: that may hold secrets and is never shown."""
        with self._client.pipeline() as batch:
            batch.hset(keys.job(job.id), mapping={"state": job.state.value, "record": job.model_dump_json()})
            batch.expire(keys.job(job.id), self._ttl)
            batch.set(keys.job_request(job.id), request_json, ex=self._ttl)
            if event := _event(job):
                batch.publish(keys.session_events(job.session_id or ""), event)
            batch.execute()
        # Those of a batch would leave no room for others; the batch lists its own.
        if not job.is_internal and job.batch_id is None:
            self._list(job)

    def _list(self, job: Job) -> None:
        with self._client.pipeline(transaction=False) as batch:
            batch.zadd(keys.JOB_INDEX, {job.id: job.queued_at.timestamp()})
            batch.zremrangebyrank(keys.JOB_INDEX, 0, -_INDEX_LENGTH - 1)
            batch.expire(keys.JOB_INDEX, keys.INDEX_SECONDS)
            batch.execute()

    def try_discard(self, job_id: str) -> None:
        """Takes back a job that could not be accepted; while the store fails it stays until its TTL."""
        with contextlib.suppress(StoreUnavailable):
            self._client.delete(keys.job(job_id), keys.job_request(job_id))

    def get(self, job_id: str) -> Job | None:
        record = cast("str | None", self._client.hget(keys.job(job_id), "record"))
        return Job.model_validate_json(record) if record else None

    def states(self, job_ids: list[str]) -> dict[str, JobState | None]:
        """None: no record (any more)."""
        with self._client.pipeline(transaction=False) as batch:
            for job_id in job_ids:
                batch.hget(keys.job(job_id), "state")
            answers = zip(job_ids, batch.execute(), strict=True)
            return {job_id: JobState(state) if state else None for job_id, state in answers}

    def request(self, job_id: str) -> str | None:
        return cast("str | None", self._client.get(keys.job_request(job_id)))

    def move(self, job: Job, to: JobState, **changes: Any) -> Job | None:
        """The job as it now stands, or None if another one moved it first or it has expired.

        One that was queued waits in its queue no longer.
        """
        if to not in JOB_MOVES[job.state]:
            return None
        moved = job.evolve(state=to, **changes)
        # Told in the same step, so that it costs those who have no viewers no round trip.
        channel = keys.session_events(job.session_id) if job.session_id else ""
        args = [job.state.value, to.value, moved.model_dump_json(), channel, _event(moved), job.id]
        if not self._move(keys=[keys.job(job.id), keys.waiting(queue_of(job))], args=args):
            return None
        if moved.is_finished:
            self._announce_end(job.id)
        return moved

    def _announce_end(self, job_id: str) -> None:
        with self._client.pipeline(transaction=False) as batch:
            batch.delete(keys.job_request(job_id))
            batch.publish(keys.JOB_ENDED_CHANNEL, job_id)
            # To be looked at now, if its end is to be told. Whoever dies before leaves it to the regular look.
            batch.zadd(keys.WEBHOOKS_EXPECTED, {job_id: 0}, xx=True)
            batch.execute()

    def ask_to_cancel(self, job: Job) -> None:
        """Tells the browser host that runs the job; if that is gone, all of them, for whichever runs it next."""
        heard = job.worker is not None and self._client.publish(keys.worker_cancels(job.worker), job.id)
        if not heard:
            self._client.publish(keys.JOB_CANCEL_CHANNEL, job.id)

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Job]:
        return read_page(self._client, keys.JOB_INDEX, self._get_many, limit=limit, cursor=cursor)

    def _get_many(self, job_ids: list[str]) -> list[Job | None]:
        with self._client.pipeline(transaction=False) as batch:
            for job_id in job_ids:
                batch.hget(keys.job(job_id), "record")
            return [Job.model_validate_json(record) if record else None for record in batch.execute()]


def _event(job: Job) -> str:
    """What viewers of its session are told; empty if there is nothing to tell."""
    if job.session_id is None or job.is_internal:
        return ""
    facts = {"job_id": job.id, "kind": job.kind.value, "attempts": job.attempts}
    if job.error is not None:
        facts["error"] = {"code": job.error.code, "message": job.error.message}
    return event_json(job.session_id, "job", job.state.value, **facts)
