"""The items of a batch: taken in hand, settled once, listed in their order.

An item is in hand from the moment at which it is claimed for a job until the job's end is settled. Both are one step in
Redis, so whoever dies in between, an item is begun by one and has one outcome.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from redis.client import NEVER_DECODE

from fleet import keys
from fleet.clock import utc_now
from fleet.models.batch import BatchOptions, ItemError, ItemOutcome
from fleet.models.job import Job, JobState
from fleet.store.connection import RedisClient, script

Claim = Literal["claimed", "closed", "full", "host", "taken"]
# Before the second try; it doubles with each one, up to the longest.
_RETRY_MS = 2_000
_RETRY_MAX_MS = 60_000
_TITLE_LENGTH = 200
_MESSAGE_LENGTH = 300
_WARNINGS = 5


@dataclass(frozen=True)
class InHand:
    """An item that has a job."""

    job_id: str
    index: int
    tries: int
    host: str
    since: datetime


@dataclass(frozen=True)
class Retry:
    """An item that waits for another try; `entry`: as the store names it."""

    index: int
    entry: str


@dataclass(frozen=True)
class Settled:
    """`tries`: how often the item was started. `outcome` None: it has not ended."""

    tries: int
    outcome: ItemOutcome | None


class BatchItemStore:
    def __init__(self, client: RedisClient, *, ttl_seconds: int) -> None:
        """`ttl_seconds`: that a batch is kept after its last step."""
        self._client = client
        self._ttl_seconds = ttl_seconds
        self._claim = script(client, "claim_batch_item")
        self._settle = script(client, "settle_batch_item")
        self._reset = script(client, "reset_batch_items")

    # Beginning.

    def unclaimed(self, batch_id: str, total: int, *, span: int) -> list[int]:
        """Items that were never begun, the first of them and those of the `span` that begins with it."""
        key = keys.batch_claimed(batch_id)
        first = max(self._client.bitpos(key, 0), 0)
        last = min(first + span, total) - 1
        if first > last:
            return []
        bits = self._bytes(key, first // 8, last // 8)
        offset = first // 8 * 8
        return [index for index in range(first, last + 1) if not _bit(bits, index - offset)]

    def due_retries(self, batch_id: str, *, limit: int) -> list[Retry]:
        now = _milliseconds(utc_now())
        key = keys.batch_retries(batch_id)
        entries = cast("list[str]", self._client.zrange(key, "-inf", now, byscore=True, offset=0, num=limit))
        return [Retry(int(entry.partition(":")[0]), entry) for entry in entries]

    def claim(  # noqa: PLR0913  # all that decides it, by name
        self, batch_id: str, *, job_id: str, index: int, host: str, options: BatchOptions, retry: Retry | None
    ) -> Claim:
        """`host`: with its port. "claimed": the caller makes the job."""
        args: list[str | int] = [
            _milliseconds(utc_now()), job_id, index, host, retry.entry if retry else "", options.in_hand_max,
            options.per_host_concurrency, options.per_host_delay, self._ttl_seconds,
        ]  # fmt: skip
        names = [
            keys.batch(batch_id),
            keys.batch_claimed(batch_id),
            keys.batch_running(batch_id),
            keys.batch_retries(batch_id),
            keys.batch_hosts(batch_id),
        ]
        return cast("Claim", self._claim(keys=names, args=args))

    def in_hand(self, batch_id: str) -> list[InHand]:
        held = cast("dict[str, str]", self._client.hgetall(keys.batch_running(batch_id)))
        return [_in_hand(job_id, *json.loads(entry)) for job_id, entry in held.items()]

    def held(self, batch_id: str, job_id: str) -> InHand | None:
        """None: the job is not in hand (any more)."""
        entry = cast("str | None", self._client.hget(keys.batch_running(batch_id), job_id))
        return _in_hand(job_id, *json.loads(entry)) if entry else None

    # Ending.

    def settle(self, batch_id: str, job: Job, *, worth_another: bool, jitter: float) -> str | None:
        """Records how the job ended. None: somebody else has; "again": the item gets another try; else its state.

        `worth_another`: whether the job's error is worth another try. `jitter`: a factor of the wait before it.
        """
        outcome = _outcome(job)
        code = job.error.code if job.error else ""
        wait = int(_RETRY_MS * jitter) if worth_another else ""
        settled = self._run_settle(batch_id, job.id, job.state.value, code, json.dumps(_pack(outcome)), wait)
        # Who followed the job alone still finds how it ended, for a while.
        self._client.expire(keys.job(job.id), keys.BATCH_JOB_SECONDS)
        return settled

    def give_back(self, batch_id: str, job_id: str) -> None:
        """The job was never made, or is gone without a word: its item is begun again, as if it had not been."""
        self._run_settle(batch_id, job_id, "lost", "", "", "")

    def _run_settle(self, batch_id: str, *facts: str | int) -> str | None:
        names = [
            keys.batch(batch_id),
            keys.batch_running(batch_id),
            keys.batch_retries(batch_id),
            keys.batch_positions(batch_id),
            keys.batch_outcomes(batch_id),
        ]
        args = [_milliseconds(utc_now()), *facts, _RETRY_MAX_MS, self._ttl_seconds]
        return cast("str | None", self._settle(keys=names, args=args))

    def reset(self, batch_id: str, indexes: Iterable[int]) -> int | None:
        """Those of them that did not succeed can be begun anew; how many. None: the batch has not ended."""
        names = [
            keys.batch(batch_id),
            keys.batch_claimed(batch_id),
            keys.batch_positions(batch_id),
            keys.batch_outcomes(batch_id),
        ]
        return cast("int | None", self._reset(keys=names, args=[self._ttl_seconds, *indexes]))

    # Reading.

    def settled(self, batch_id: str, first: int, count: int) -> list[Settled]:
        """The outcomes of `count` items from `first` on."""
        key = keys.batch_positions(batch_id)
        places = self._bytes(key, 4 * first, 4 * (first + count) - 1)
        positions = [int.from_bytes(places[4 * n : 4 * n + 4]) for n in range(count)]
        with self._client.pipeline(transaction=False) as batch:
            for position in positions:
                if position:
                    batch.lindex(keys.batch_outcomes(batch_id), position - 1)
            outcomes = iter(batch.execute())
        return [_settled(next(outcomes) if position else "") for position in positions]

    def _bytes(self, key: str, first: int, last: int) -> bytes:
        return cast("bytes", self._client.execute_command("GETRANGE", key, first, last, **{NEVER_DECODE: True}))


def _bit(bits: bytes, number: int) -> bool:
    """Redis counts from the highest bit of the first byte; beyond its end are zeros."""
    byte, bit = divmod(number, 8)
    return byte < len(bits) and bool(bits[byte] & (0x80 >> bit))


def _in_hand(job_id: str, index: int, tries: int, host: str, since_ms: int) -> InHand:
    return InHand(job_id, index, tries, host, datetime.fromtimestamp(since_ms / 1000, UTC))


def _outcome(job: Job) -> ItemOutcome:
    finished_at = job.finished_at or utc_now()
    result = job.result
    shown = None if result is None or result.final_url == result.url else result.final_url
    return ItemOutcome(
        state=job.state,
        error=ItemError(code=job.error.code, message=job.error.message[:_MESSAGE_LENGTH]) if job.error else None,
        job_id=job.id,
        finished_at=finished_at,
        duration_ms=round((finished_at - job.started_at).total_seconds() * 1000) if job.started_at else 0,
        artifacts=[artifact.id for artifact in result.artifacts] if result else [],
        status=result.status if result else None,
        final_url=shown,
        title=result.title[:_TITLE_LENGTH] if result else "",
        warnings=[warning[:_MESSAGE_LENGTH] for warning in result.warnings[:_WARNINGS]] if result else [],
    )


def _pack(outcome: ItemOutcome) -> list[Any]:
    """As few characters as may be: there are 100,000 of them. What is empty at the end is left out."""
    error = outcome.error
    packed: list[Any] = [
        outcome.state.value,
        error.code if error else "",
        outcome.job_id.removeprefix("job_"),
        _milliseconds(outcome.finished_at),
        outcome.duration_ms,
        [artifact.removeprefix("art_") for artifact in outcome.artifacts],
        outcome.status,
        outcome.title,
        outcome.final_url,
        error.message if error else "",
        outcome.warnings,
    ]
    while packed[-1] in (None, "", []):
        packed.pop()
    return packed


def _settled(stored: str) -> Settled:
    if not stored:
        return Settled(0, None)
    tries, *packed = json.loads(stored)
    missing: list[Any] = [None, None, None, None, 0, [], None, "", None, "", []]
    state, code, job_id, finished_ms, duration_ms, artifacts, status, title, final_url, message, warnings = (
        packed + missing[len(packed) :]
    )
    outcome = ItemOutcome(
        state=JobState(state),
        error=ItemError(code=code, message=message) if code else None,
        job_id=f"job_{job_id}",
        finished_at=datetime.fromtimestamp(finished_ms / 1000, UTC),
        duration_ms=duration_ms,
        artifacts=[f"art_{artifact}" for artifact in artifacts],
        status=status,
        final_url=final_url,
        title=title,
        warnings=warnings,
    )
    return Settled(tries, outcome)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
