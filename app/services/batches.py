"""Batches: accepted in pieces, looked at, paused, stopped and retried. Workers feed them to the queue."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Self

from app.services.sessions import SessionService
from app.services.webhooks import WebhookService
from fleet.clock import utc_now
from fleet.errors import (
    BatchConflict,
    BatchNotFound,
    BatchTooLarge,
    FleetError,
    InvalidRequest,
    QueueFull,
    StoreUnavailable,
)
from fleet.ids import is_id, new_id
from fleet.models.batch import ITEMS_MAX, Batch, BatchCapture, BatchEndReason, BatchOptions, BatchState, ItemStatus
from fleet.models.job import JobState
from fleet.models.webhook import WebhookEvent
from fleet.store import Store
from fleet.store.batch_items import InHand, Settled
from fleet.store.batches import CHUNK, Item
from fleet.store.index import Cursor, Page

# That have not ended. Each is looked at whenever an item of any of them ends.
ACTIVE_MAX = 100
# Items that one request looks at, to find those of a state.
_LOOKED_AT_MAX = 5_000
_RETRY_AFTER_SECONDS = 30


@dataclass(frozen=True)
class AcceptedBatch:
    batch: Batch

    def to_json(self) -> dict[str, Any]:
        return {"batch": self.batch.model_dump(mode="json", exclude={"request_id"})}

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        return cls(Batch.model_validate(answer["batch"]))


@dataclass(frozen=True)
class ItemPage:
    """`next_index` None: this was the last."""

    items: list[ItemStatus]
    next_index: int | None


class BatchService:
    def __init__(self, store: Store, sessions: SessionService, webhooks: WebhookService) -> None:
        self._store = store
        self._sessions = sessions
        self._webhooks = webhooks

    def accept(
        self, options: BatchOptions, capture: BatchCapture, items: Iterable[Item], request_id: str
    ) -> AcceptedBatch:
        """Keeps the items as they come, and starts the batch after the last one.

        Raises BatchTooLarge, InvalidRequest, QueueFull, SessionNotFound, SessionEnded, StoreUnavailable, or what is
        wrong with an item; then nothing will run.
        """
        self._webhooks.check(options.webhook_url)
        if options.session_id is not None:
            self._check_session(options.session_id, capture)
        if self._store.batches.count_active() >= ACTIVE_MAX:
            message = f"{ACTIVE_MAX} batches have not ended, as many as there may be. Try again when some have."
            raise QueueFull(message, retry_after=_RETRY_AFTER_SECONDS)
        batch_id = new_id("bat")
        capture_json = capture.model_dump_json(exclude_unset=True, exclude_none=True)
        self._store.batches.begin(batch_id, options, capture_json, request_id=request_id)
        try:
            self._fill(batch_id, options, items)
        except FleetError:
            self._discard(batch_id)
            raise
        return AcceptedBatch(self.get(batch_id))

    def _check_session(self, session_id: str, capture: BatchCapture) -> None:
        """Raises SessionNotFound, SessionEnded or InvalidRequest."""
        self._sessions.get(session_id)
        if capture.context is not None:
            message = "capture.context: a batch in a session uses the session's own context."
            raise InvalidRequest(message, field="capture.context")

    def _fill(self, batch_id: str, options: BatchOptions, items: Iterable[Item]) -> None:
        new_items = _NewItems(items, deduplicate=options.deduplicate, in_session=options.session_id is not None)
        stream = iter(new_items)
        while chunk := list(islice(stream, CHUNK)):
            self._store.batches.add(batch_id, chunk)
        if not new_items.count:
            raise InvalidRequest("A batch needs at least one item.", field="items")
        deadline = utc_now() + timedelta(seconds=options.deadline_seconds)
        self._webhooks.expect(WebhookEvent.BATCH_ENDED, batch_id, options.webhook_url)
        started = self._store.batches.start(
            batch_id, total=new_items.count, duplicates=new_items.duplicates, deadline_at=deadline
        )
        if not started:
            message = "The items came too slowly, and the first of them are forgotten. Send the batch again, in one go."
            raise InvalidRequest(message)

    def _discard(self, batch_id: str) -> None:
        try:
            self._store.batches.discard(batch_id)
        except StoreUnavailable:
            # It is forgotten by itself.
            return

    def get(self, batch_id: str) -> Batch:
        """Raises BatchNotFound."""
        batch = self._store.batches.get(batch_id) if is_id(batch_id, "bat") else None
        if batch is None:
            raise _not_found(batch_id)
        return self._with_rate(batch)

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Batch]:
        page = self._store.batches.newest(limit=limit, cursor=cursor)
        return Page([self._with_rate(batch) for batch in page.entries], page.next_cursor)

    def _with_rate(self, batch: Batch) -> Batch:
        if batch.state is not BatchState.RUNNING:
            return batch
        now = utc_now()
        age = (now - batch.created_at).total_seconds()
        rate = self._store.throughput.per_second(batch.id, seconds=age)
        rest = batch.counts.queued + batch.counts.running
        end = min(now + timedelta(seconds=rest / rate), batch.deadline_at) if rate else None
        return batch.model_copy(update={"rate": round(rate, 3), "estimated_end": end})

    def pause(self, batch_id: str) -> Batch:
        """Items in hand end; no other one begins. Raises BatchNotFound or BatchConflict."""
        return self._changed(batch_id, self._store.batches.pause, BatchState.PAUSED)

    def resume(self, batch_id: str) -> Batch:
        """Raises BatchNotFound or BatchConflict."""
        return self._changed(batch_id, self._store.batches.resume, BatchState.RUNNING)

    def _changed(self, batch_id: str, change: Callable[[str], BatchState | None], wanted: BatchState) -> Batch:
        state = change(batch_id) if is_id(batch_id, "bat") else None
        batch = self.get(batch_id)
        if state is not wanted:
            message = f"The batch is {batch.state.value}, so it cannot become {wanted.value}."
            raise BatchConflict(message, state=batch.state.value)
        return batch

    def cancel(self, batch_id: str) -> Batch:
        """What has ended stays; what has not is cancelled, soon. Raises BatchNotFound."""
        if is_id(batch_id, "bat"):
            self._store.batches.stop(batch_id, BatchEndReason.CANCELLED)
        return self.get(batch_id)

    def retry(self, batch_id: str) -> Batch:
        """All its items that did not succeed begin anew. Raises BatchNotFound or BatchConflict."""
        batch = self.get(batch_id)
        if batch.state is not BatchState.ENDED:
            raise BatchConflict("The batch has not ended; wait for it, or cancel it first.", state=batch.state.value)
        if batch.counts.succeeded == batch.counts.total:
            raise BatchConflict("All items of the batch have succeeded, so there is none to retry.", state="ended")
        for first in range(0, batch.counts.total, CHUNK):
            self._store.batch_items.reset(batch_id, range(first, min(first + CHUNK, batch.counts.total)))
        deadline = utc_now() + timedelta(seconds=batch.options.deadline_seconds)
        self._webhooks.expect(
            WebhookEvent.BATCH_ENDED, batch_id, batch.options.webhook_url, earlier_end=batch.finished_at
        )
        self._store.batches.reopen(batch_id, deadline_at=deadline)
        return self.get(batch_id)

    def items(self, batch_id: str, *, state: JobState | None, first: int, limit: int) -> ItemPage:
        """At most `limit` items from `first` on, fewer if those of that state are rare. Raises BatchNotFound."""
        batch = self.get(batch_id)
        found: list[ItemStatus] = []
        for item in self._statuses(batch, first, min(batch.counts.total, first + _LOOKED_AT_MAX)):
            if state is None or item.state is state:
                if len(found) == limit:
                    return ItemPage(self._with_artifacts(found), item.index)
                found.append(item)
        next_index = first + _LOOKED_AT_MAX
        return ItemPage(self._with_artifacts(found), next_index if next_index < batch.counts.total else None)

    def all_items(self, batch: Batch) -> Iterator[ItemStatus]:
        """In their order, read piece by piece, with their artifacts."""
        for first in range(0, batch.counts.total, CHUNK):
            yield from self._with_artifacts(list(self._statuses(batch, first, min(first + CHUNK, batch.counts.total))))

    def _statuses(self, batch: Batch, first: int, end: int) -> Iterator[ItemStatus]:
        """Of the items from `first` to before `end`; artifacts have nothing but their ids."""
        in_hand = {held.index: held for held in self._store.batch_items.in_hand(batch.id)}
        for number in range(first // CHUNK, -(-end // CHUNK)):
            items = self._store.batches.chunk(batch.id, number)
            settled = self._store.batch_items.settled(batch.id, number * CHUNK, len(items))
            for index, item, one in zip(range(number * CHUNK, end), items, settled, strict=False):
                if index >= first:
                    yield _status(batch, index, item, one, in_hand.get(index))

    def _with_artifacts(self, items: list[ItemStatus]) -> list[ItemStatus]:
        ids = [artifact_id for item in items for artifact_id in item.artifact_ids]
        found = self._store.artifacts.get_many(ids)
        return [
            item.model_copy(update={"artifacts": [found[one] for one in item.artifact_ids if one in found]})
            for item in items
        ]


class _NewItems:
    """Without those that are in the batch already, unless they are told apart by ids."""

    def __init__(self, items: Iterable[Item], *, deduplicate: bool, in_session: bool) -> None:
        self._items = items
        self._deduplicate = deduplicate
        self._in_session = in_session
        self._seen: set[bytes] = set()
        self._ids: set[bytes] = set()
        self.count = 0
        self.duplicates = 0

    def __iter__(self) -> Iterator[Item]:
        """Raises BatchTooLarge or InvalidRequest."""
        for item in self._items:
            self._check(item)
            if self._deduplicate and not item.id and _is_in(self._seen, f"{item.url}\n{item.options_json}"):
                self.duplicates += 1
                continue
            if self.count == ITEMS_MAX:
                raise BatchTooLarge(f"A batch has at most {ITEMS_MAX} items. Split it.", limit=ITEMS_MAX)
            self.count += 1
            yield item

    def _check(self, item: Item) -> None:
        if item.id and _is_in(self._ids, item.id):
            raise InvalidRequest(f"The id '{item.id}' stands for two items; give each its own, or none.", field="id")
        if self._in_session and item.options_json and "context" in json.loads(item.options_json):
            message = f"The item {item.url} has a context, but a batch in a session uses the session's own."
            raise InvalidRequest(message, field="context")


def _is_in(seen: set[bytes], text: str) -> bool:
    """Whether it was there before; now it is. A digest takes less memory than what it stands for."""
    digest = hashlib.blake2b(text.encode(), digest_size=10).digest()
    was_there = digest in seen
    seen.add(digest)
    return was_there


def _status(batch: Batch, index: int, item: Item, settled: Settled, held: InHand | None) -> ItemStatus:
    outcome = settled.outcome
    if outcome is not None:
        facts = outcome.model_dump(exclude={"artifacts"})
        return ItemStatus(
            index=index, id=item.id, url=item.url, tries=settled.tries, artifact_ids=outcome.artifacts, **facts
        )
    if held is not None:
        state, tries, job_id = JobState.RUNNING, held.tries, held.job_id
        return ItemStatus(index=index, id=item.id, url=item.url, state=state, tries=tries, job_id=job_id)
    state = JobState.CANCELLED if batch.state is BatchState.ENDED else JobState.QUEUED
    return ItemStatus(index=index, id=item.id, url=item.url, state=state)


def _not_found(batch_id: str) -> BatchNotFound:
    return BatchNotFound(f"There is no batch '{batch_id[:64]}', or it has expired.")
