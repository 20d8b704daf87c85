"""Batches: what was accepted, how far it is, and which of them have not ended. Their items: fleet.store.batch_items."""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from redis.client import NEVER_DECODE

from fleet import keys
from fleet.clock import utc_now
from fleet.models.batch import Batch, BatchCounts, BatchEndReason, BatchOptions, BatchState
from fleet.store.connection import RedisClient, script
from fleet.store.index import Cursor, Page, read_page

# Newest batches that the index can list.
_INDEX_LENGTH = 10_000
# Items that are kept, compressed and read as one piece.
CHUNK = 100
# Between two renewals.
_RENEWED_SECONDS = 60
_UNFINISHED = (BatchState.RUNNING, BatchState.PAUSED)


@dataclass(frozen=True)
class Item:
    """As it was accepted. `options_json`: what differs from the batch's own capture, '' if nothing does."""

    url: str
    id: str | None = None
    options_json: str = ""

    def pack(self) -> list[str | None]:
        """What most items do not have stands last, and is left out."""
        if self.options_json:
            return [self.url, self.id, self.options_json]
        return [self.url, self.id] if self.id else [self.url]


@dataclass(frozen=True)
class ActiveBatch:
    """One that has not ended. `running`: its items in hand. `items_ttl`: seconds that what was accepted is kept."""

    id: str
    state: BatchState
    end_reason: BatchEndReason | None
    deadline_at: datetime
    options: BatchOptions
    total: int
    running: int
    items_ttl: int
    request_id: str | None


class BatchStore:
    def __init__(self, client: RedisClient, *, ttl_seconds: int) -> None:
        self._client = client
        self._ttl_seconds = ttl_seconds
        self._change = script(client, "change_batch")

    # Acceptance: begin, add, add, …, start. What is not started is forgotten by itself.

    def begin(self, batch_id: str, options: BatchOptions, capture_json: str, *, request_id: str) -> None:
        now = utc_now()
        record = {"created_at": now.isoformat(), "options": options.model_dump(mode="json"), "request_id": request_id}
        with self._client.pipeline() as batch:
            batch.hset(
                keys.batch(batch_id),
                mapping={
                    "state": BatchState.ACCEPTING.value,
                    "record": json.dumps(record),
                    "retries": options.retries,
                    "stop_after_failures": options.stop_after_failures,
                },
            )
            batch.set(keys.batch_capture(batch_id), capture_json, ex=keys.BATCH_ACCEPTING_SECONDS)
            batch.expire(keys.batch(batch_id), keys.BATCH_ACCEPTING_SECONDS)
            batch.execute()

    def add(self, batch_id: str, items: Sequence[Item]) -> None:
        """The next `CHUNK` of them, fewer only at the end."""
        packed = json.dumps([item.pack() for item in items], ensure_ascii=False, separators=(",", ":")).encode()
        with self._client.pipeline() as batch:
            batch.rpush(keys.batch_items(batch_id), zlib.compress(packed, level=9))
            for key in _accepted_keys(batch_id):
                batch.expire(key, keys.BATCH_ACCEPTING_SECONDS)
            batch.execute()

    def start(self, batch_id: str, *, total: int, duplicates: int, deadline_at: datetime) -> bool:
        """False: it took too long, and what was added is no longer there."""
        # First, so that no batch that runs is overlooked; one that does not run is no harm there.
        self._activate(batch_id)
        with self._client.pipeline() as batch:
            batch.exists(*_accepted_keys(batch_id))
            batch.hset(keys.batch(batch_id), mapping={"total": total, "duplicates": duplicates})
            for key in _accepted_keys(batch_id):
                batch.expire(key, self._ttl_seconds)
            there = batch.execute()[0]
        if there < len(_accepted_keys(batch_id)):
            self.discard(batch_id)
            return False
        now = utc_now().timestamp()
        with self._client.pipeline(transaction=False) as batch:
            batch.zadd(keys.BATCH_INDEX, {batch_id: now})
            batch.zremrangebyrank(keys.BATCH_INDEX, 0, -_INDEX_LENGTH - 1)
            batch.expire(keys.BATCH_INDEX, keys.INDEX_SECONDS)
            batch.execute()
        return self.change(batch_id, (BatchState.ACCEPTING,), BatchState.RUNNING, deadline_at=deadline_at) is not None

    def _activate(self, batch_id: str) -> None:
        with self._client.pipeline(transaction=False) as batch:
            batch.zadd(keys.BATCHES_ACTIVE, {batch_id: utc_now().timestamp()})
            batch.expire(keys.BATCHES_ACTIVE, keys.INDEX_SECONDS)
            batch.execute()

    def discard(self, batch_id: str) -> None:
        self._client.delete(*_accepted_keys(batch_id))
        self._client.zrem(keys.BATCHES_ACTIVE, batch_id)

    # Life.

    def pause(self, batch_id: str) -> BatchState | None:
        """The state that it is in now; None: there is no such batch. So do all that change it."""
        return self.change(batch_id, (BatchState.RUNNING,), BatchState.PAUSED)

    def resume(self, batch_id: str) -> BatchState | None:
        return self.change(batch_id, (BatchState.PAUSED,), BatchState.RUNNING)

    def stop(self, batch_id: str, reason: BatchEndReason) -> BatchState | None:
        return self.change(batch_id, _UNFINISHED, BatchState.STOPPING, reason=reason)

    def reopen(self, batch_id: str, *, deadline_at: datetime) -> BatchState | None:
        """After its items were reset."""
        self._activate(batch_id)
        return self.change(batch_id, (BatchState.ENDED,), BatchState.RUNNING, deadline_at=deadline_at)

    def change(
        self,
        batch_id: str,
        states: Iterable[BatchState],
        to: BatchState,
        *,
        reason: BatchEndReason | None = None,
        deadline_at: datetime | None = None,
    ) -> BatchState | None:
        """The state that it is in afterwards, `to` or another one; None: there is no such batch."""
        now = utc_now()
        args = [
            _milliseconds(now),
            to.value,
            reason.value if reason else "",
            _milliseconds(deadline_at) if deadline_at else "",
            *(state.value for state in states),
        ]
        names = [keys.batch(batch_id), keys.batch_running(batch_id), keys.batch_retries(batch_id)]
        found = cast("str | None", self._change(keys=names, args=args))
        return BatchState(found) if found else None

    # Reading.

    def get(self, batch_id: str) -> Batch | None:
        """Without its rate."""
        return self._get_many([batch_id])[0]

    def newest(self, *, limit: int, cursor: Cursor | None) -> Page[Batch]:
        return read_page(self._client, keys.BATCH_INDEX, self._get_many, limit=limit, cursor=cursor)

    def _get_many(self, batch_ids: list[str]) -> list[Batch | None]:
        with self._client.pipeline(transaction=False) as batch:
            for batch_id in batch_ids:
                batch.hgetall(keys.batch(batch_id))
                batch.hlen(keys.batch_running(batch_id))
                batch.pttl(keys.batch(batch_id))
            answers = batch.execute()
        return [_batch(batch_id, *answers[3 * number : 3 * number + 3]) for number, batch_id in enumerate(batch_ids)]

    def capture_json(self, batch_id: str) -> str | None:
        return cast("str | None", self._client.get(keys.batch_capture(batch_id)))

    def chunk(self, batch_id: str, number: int) -> list[Item]:
        """Items `number * CHUNK` and on."""
        found = self._client.execute_command("LINDEX", keys.batch_items(batch_id), number, **{NEVER_DECODE: True})
        return [Item(*packed) for packed in _unpack(found)]

    # Those that have not ended.

    def count_active(self) -> int:
        return self._client.zcard(keys.BATCHES_ACTIVE)

    def active(self) -> list[ActiveBatch]:
        """Those of which an item was begun longest ago, first. Those that have ended are left out and taken off."""
        ids = cast("list[str]", self._client.zrange(keys.BATCHES_ACTIVE, 0, -1))
        with self._client.pipeline(transaction=False) as batch:
            for batch_id in ids:
                batch.hmget(keys.batch(batch_id), "state", "end_reason", "deadline_at", "total", "record")
                batch.hlen(keys.batch_running(batch_id))
                batch.ttl(keys.batch_items(batch_id))
            answers = batch.execute()
        found = []
        for batch_id, fields, *numbers in zip(ids, answers[::3], answers[1::3], answers[2::3], strict=True):
            if fields[0] in (None, BatchState.ENDED):
                self._client.zrem(keys.BATCHES_ACTIVE, batch_id)
            elif fields[0] != BatchState.ACCEPTING:
                found.append(_active(batch_id, *fields, *numbers))
        return found

    def begun(self, batch_id: str) -> None:
        """An item of it has been, so that others have their turn first."""
        self._client.zadd(keys.BATCHES_ACTIVE, {batch_id: utc_now().timestamp()}, xx=True)

    def may_look(self) -> bool:
        """Whether the caller is the one who looks after them this time."""
        return bool(self._client.set(keys.BATCHES_LOOK, "1", nx=True, ex=keys.BATCHES_LOOK_SECONDS))

    def renew(self, active: ActiveBatch) -> None:
        """It goes on, so nothing of it may expire."""
        if active.items_ttl > self._ttl_seconds - _RENEWED_SECONDS:
            return
        with self._client.pipeline(transaction=False) as batch:
            for key in _all_keys(active.id):
                batch.expire(key, self._ttl_seconds)
            batch.expire(keys.BATCHES_ACTIVE, keys.INDEX_SECONDS)
            batch.execute()


def _accepted_keys(batch_id: str) -> tuple[str, ...]:
    return keys.batch(batch_id), keys.batch_capture(batch_id), keys.batch_items(batch_id)


def _all_keys(batch_id: str) -> tuple[str, ...]:
    return (
        *_accepted_keys(batch_id),
        keys.batch_claimed(batch_id),
        keys.batch_running(batch_id),
        keys.batch_retries(batch_id),
        keys.batch_hosts(batch_id),
        keys.batch_positions(batch_id),
        keys.batch_outcomes(batch_id),
    )


def _unpack(chunk: bytes | None) -> list[list[Any]]:
    return cast("list[list[Any]]", json.loads(zlib.decompress(chunk))) if chunk else []


def _batch(batch_id: str, fields: dict[str, str], running: int, ttl_ms: int) -> Batch | None:
    state = fields.get("state")
    if state is None or state == BatchState.ACCEPTING:
        return None
    record = json.loads(fields["record"])
    finished_at = fields.get("finished_at")
    return Batch(
        id=batch_id,
        state=BatchState(state),
        end_reason=BatchEndReason(fields["end_reason"]) if "end_reason" in fields else None,
        created_at=record["created_at"],
        deadline_at=_moment(fields["deadline_at"]),
        finished_at=_moment(finished_at) if finished_at else None,
        expires_at=utc_now() + timedelta(milliseconds=ttl_ms),
        options=BatchOptions(**record["options"]),
        duplicates=int(fields["duplicates"]),
        counts=_counts(fields, running),
        errors={
            name.partition(":")[2]: int(count)
            for name, count in sorted(fields.items())
            if name.startswith("error:") and count != "0"
        },
        request_id=record["request_id"],
    )


def _counts(fields: dict[str, str], running: int) -> BatchCounts:
    total = int(fields["total"])
    succeeded, failed, cancelled = (int(fields.get(name, 0)) for name in ("succeeded", "failed", "cancelled"))
    rest = total - succeeded - failed - cancelled - running
    if fields["state"] == BatchState.ENDED:
        # What was never begun, or waited for another try.
        cancelled, rest = cancelled + rest, 0
    return BatchCounts(
        total=total, queued=rest, running=running, succeeded=succeeded, failed=failed, cancelled=cancelled
    )


def _active(  # noqa: PLR0913, PLR0917  # the fields as they are read
    batch_id: str, state: str, end_reason: str | None, deadline_at: str, total: str, record: str, *numbers: int
) -> ActiveBatch:
    accepted = json.loads(record)
    return ActiveBatch(
        id=batch_id,
        state=BatchState(state),
        end_reason=BatchEndReason(end_reason) if end_reason else None,
        deadline_at=_moment(deadline_at),
        options=BatchOptions(**accepted["options"]),
        total=int(total),
        running=numbers[0],
        items_ttl=numbers[1],
        request_id=accepted["request_id"],
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
