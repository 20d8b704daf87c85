"""Feeds the items of batches to the queue, a few at a time, and settles how they ended.

Batches together have so many captures in hand as workers can take beside single ones. The end of one makes room for the
next; whatever is missing is filled up by the look (workers.batch_look), of which the whole fleet has one a second.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self
from urllib.parse import urlsplit

import structlog
from celery.utils.nodenames import worker_direct

from fleet.clock import utc_now
from fleet.errors import FleetError, SessionBusy, SessionEnded, StoreUnavailable, is_worth_another_try
from fleet.ids import new_id
from fleet.models.batch import BatchEndReason, BatchState
from fleet.models.job import Job, JobError, JobKind, JobState
from fleet.queues import BATCHES_QUEUE, RUN_CAPTURE, RUN_SESSION_JOB
from fleet.settings import Settings
from fleet.store import Store
from fleet.store.batch_items import Retry
from fleet.store.batches import CHUNK, ActiveBatch, Item
from fleet.store.throughput import SINGLE_JOBS

_log = structlog.get_logger(__name__)

# Sends the message of a task with its one argument to a queue. Raises StoreUnavailable.
Send = Callable[[str, str, str], None]

# How far behind the first item that was never begun one is looked for whose host is free.
_LOOK_AHEAD = 1_000
# Whoever claimed an item makes its job within milliseconds.
_CLAIM_AGE = timedelta(seconds=30)
# A wake-up of a session takes no longer; one too many finds nothing to do.
_WAKE_UP_AGE = timedelta(seconds=20)


@dataclass(frozen=True)
class Shares:
    """Captures of batches in hand at once, for each worker: alone, and beside single jobs.

    `session_jobs`: that may wait in one session.
    """

    alone: int
    beside: int
    session_jobs: int

    @classmethod
    def of(cls, config: Settings) -> Self:
        return cls(
            alone=config.batch_captures,
            beside=min(config.batch_captures, config.batch_captures_beside),
            session_jobs=config.session_job_limit,
        )


@dataclass(frozen=True)
class _Candidate:
    index: int
    item: Item
    retry: Retry | None

    @property
    def host(self) -> str:
        return urlsplit(self.item.url).netloc.lower()


class BatchFeeder:
    def __init__(
        self, store: Store, shares: Shares, send: Send, *, on_end: Callable[[JobState], None] = lambda _state: None
    ) -> None:
        """`on_end` hears of each item that this feeder has settled for good."""
        self._store = store
        self._shares = shares
        self._send = send
        self._on_end = on_end

    def job_ended(self, job: Job) -> None:
        """Settles its item and begins the next one. If the store fails now, the look does both."""
        try:
            self.settle(job)
            self.feed(at_most=1)
        except StoreUnavailable as error:
            _log.warning("batch not fed", batch=job.batch_id, cause=error.message)

    # Settling.

    def settle(self, job: Job) -> None:
        """Its item has the outcome of the job, or waits for another try. Twice is as good as once."""
        batch_id = job.batch_id or ""
        worth = job.state is JobState.FAILED and self._is_worth_another_try(batch_id, job)
        settled = self._store.batch_items.settle(batch_id, job, worth_another=worth, jitter=random.uniform(0.5, 1.5))
        if settled is not None and settled != "again":
            self._store.throughput.count(batch_id)
            self._on_end(JobState(settled))

    def _is_worth_another_try(self, batch_id: str, job: Job) -> bool:
        """Not of what acts: it might do twice what it is to do once."""
        if job.error is None or not is_worth_another_try(job.error.code):
            return False
        held = self._store.batch_items.held(batch_id, job.id)
        return held is not None and not self._request(batch_id, self._item(batch_id, held.index)).get("actions")

    def settle_lost_ends(self, batch: ActiveBatch) -> None:
        """Those whose job has ended, or is gone, without a word to the batch."""
        in_hand = self._store.batch_items.in_hand(batch.id)
        states = self._store.jobs.states([held.job_id for held in in_hand])
        for held in in_hand:
            state = states[held.job_id]
            if state is None and held.since < utc_now() - _CLAIM_AGE:
                self._store.batch_items.give_back(batch.id, held.job_id)
            elif state is not None and state.is_final and (job := self._store.jobs.get(held.job_id)):
                self.settle(job)
            elif state is JobState.QUEUED and batch.options.session_id and held.since < utc_now() - _WAKE_UP_AGE:
                self._wake(batch.options.session_id)

    def cancel_in_hand(self, batch: ActiveBatch) -> None:
        """Of a batch that was cancelled."""
        for held in self._store.batch_items.in_hand(batch.id):
            job = self._store.jobs.get(held.job_id)
            if job is not None and job.state is JobState.QUEUED:
                self._cancel_queued(job)
            elif job is not None and job.state is JobState.RUNNING:
                self._store.jobs.ask_to_cancel(job)

    def _cancel_queued(self, job: Job) -> None:
        error = JobError(code="job_cancelled", message="The batch was cancelled before this item ran.")
        cancelled = self._store.jobs.move(job, JobState.CANCELLED, finished_at=utc_now(), error=error)
        if cancelled is not None:
            self.settle(cancelled)

    def stop_if_late(self, batch: ActiveBatch) -> None:
        if batch.deadline_at <= utc_now() and batch.state in (BatchState.RUNNING, BatchState.PAUSED):
            self._store.batches.stop(batch.id, BatchEndReason.DEADLINE)

    # Feeding.

    def feed(self, *, at_most: int | None = None) -> int:
        """Begins items of batches, so many at most, and no more than there is room for. How many."""
        active = self._store.batches.active()
        running = [batch for batch in active if batch.state is BatchState.RUNNING]
        if not running:
            return 0
        room = self._room() - sum(batch.running for batch in active)
        room = room if at_most is None else min(room, at_most)
        fed = 0
        while fed < room and running:
            now_fed = {
                batch.id: (self._feed_batch(batch, count), count) for batch, count in _shares(running, room - fed)
            }
            if not now_fed:
                break
            fed += sum(begun for begun, _ in now_fed.values())
            running = list(_with_more(running, now_fed))
        return fed

    def _room(self) -> int:
        """For captures of batches, in the whole fleet."""
        beside = self._store.throughput.has_moved(SINGLE_JOBS)
        return self._store.workers.count_alive() * (self._shares.beside if beside else self._shares.alone)

    def _feed_batch(self, batch: ActiveBatch, count: int) -> int:
        fed = 0
        busy_hosts: set[str] = set()
        for candidate in self._candidates(batch):
            if fed == count:
                break
            if candidate.host in busy_hosts:
                continue
            job_id = new_id("job")
            claim = self._store.batch_items.claim(
                batch.id, job_id=job_id, index=candidate.index, host=candidate.host,
                options=batch.options, retry=candidate.retry,
            )  # fmt: skip
            if claim == "claimed":
                self._begin(batch, candidate.item, job_id)
                fed += 1
            elif claim == "host":
                busy_hosts.add(candidate.host)
            elif claim in ("full", "closed"):
                break
        if fed:
            self._store.batches.begun(batch.id)
        return fed

    def _candidates(self, batch: ActiveBatch) -> Iterator[_Candidate]:
        """Those whose next try is due, then those that were never begun, in their order."""
        chunks = _Chunks(self._store, batch.id)
        for retry in self._store.batch_items.due_retries(batch.id, limit=_LOOK_AHEAD):
            yield _Candidate(retry.index, chunks.item(retry.index), retry)
        for index in self._store.batch_items.unclaimed(batch.id, batch.total, span=_LOOK_AHEAD):
            yield _Candidate(index, chunks.item(index), None)

    def _begin(self, batch: ActiveBatch, item: Item, job_id: str) -> None:
        """Makes the job of an item that was just claimed, and sends its message."""
        session_id = batch.options.session_id
        job = Job(
            id=job_id, kind=JobKind.CAPTURE, session_id=session_id, batch_id=batch.id, queued_at=utc_now(),
            request_id=batch.request_id,
        )  # fmt: skip
        body = json.dumps(self._request(batch.id, item))
        if session_id is not None:
            self._begin_in_session(session_id, job, body)
            return
        self._store.waiting.try_join(BATCHES_QUEUE, job.id, job.queued_at)
        self._store.jobs.create(job, body)
        self._send(RUN_CAPTURE, job.id, BATCHES_QUEUE)

    def _begin_in_session(self, session_id: str, job: Job, body: str) -> None:
        self._store.jobs.create(job, body)
        try:
            added = self._store.sessions.add_job(session_id, job.id, waiting_limit=self._shares.session_jobs)
        except SessionBusy:
            # By jobs of others; the item has its turn later.
            self._store.jobs.try_discard(job.id)
            self._store.batch_items.give_back(job.batch_id or "", job.id)
            return
        if added is None:
            self._fail(job, SessionEnded("The session of this batch has ended. Retry needs a new batch."))
        else:
            self._wake(session_id)

    def _wake(self, session_id: str) -> None:
        session = self._store.sessions.get(session_id)
        # Without a worker it is being created or restored; the end of that wakes its first job.
        if session is not None and session.worker is not None:
            self._send(RUN_SESSION_JOB, session_id, worker_direct(session.worker).name)

    def _fail(self, job: Job, error: FleetError) -> None:
        told = JobError(code=error.code, message=error.message, details=error.details)
        failed = self._store.jobs.move(job, JobState.FAILED, finished_at=utc_now(), error=told)
        if failed is not None:
            self.settle(failed)

    def _request(self, batch_id: str, item: Item) -> dict[str, Any]:
        """The body of the item's capture: the batch's own, but for what the item has to say."""
        shared = json.loads(self._store.batches.capture_json(batch_id) or "{}")
        return {**shared, **(json.loads(item.options_json) if item.options_json else {}), "url": item.url}

    def _item(self, batch_id: str, index: int) -> Item:
        return _Chunks(self._store, batch_id).item(index)


class _Chunks:
    """Items by their index; the chunk that was read last is at hand."""

    def __init__(self, store: Store, batch_id: str) -> None:
        self._store = store
        self._batch_id = batch_id
        self._number = -1
        self._items: list[Item] = []

    def item(self, index: int) -> Item:
        number, place = divmod(index, CHUNK)
        if number != self._number:
            self._number, self._items = number, self._store.batches.chunk(self._batch_id, number)
        return self._items[place]


def _shares(running: list[ActiveBatch], room: int) -> list[tuple[ActiveBatch, int]]:
    """Who may begin how many, so that all have as many in hand, those first that have waited longest."""
    in_hand = {batch.id: batch.running for batch in running}
    given = dict.fromkeys(in_hand, 0)
    order = {batch.id: place for place, batch in enumerate(running)}
    most = {batch.id: batch.options.in_hand_max for batch in running}
    for _ in range(max(0, room)):
        wanting = [batch_id for batch_id in given if in_hand[batch_id] < most[batch_id]]
        if not wanting:
            break
        least = min(wanting, key=lambda batch_id: (in_hand[batch_id], order[batch_id]))
        in_hand[least] += 1
        given[least] += 1
    return [(batch, given[batch.id]) for batch in running if given[batch.id]]


def _with_more(running: list[ActiveBatch], now_fed: dict[str, tuple[int, int]]) -> Iterator[ActiveBatch]:
    """Those that may still have something to begin: not who did not take all of its share, say for its busy hosts."""
    for batch in running:
        begun, share = now_fed.get(batch.id, (0, 0))
        if begun == share:
            yield replace(batch, running=batch.running + begun)
