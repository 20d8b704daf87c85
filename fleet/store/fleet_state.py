"""What is known of the whole fleet at one moment, read in a few round trips however large it is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from fleet import keys
from fleet.alerts import WORKER_LOST_STAYS
from fleet.clock import utc_now
from fleet.models.session import SessionState
from fleet.models.worker import WorkerReport
from fleet.queues import SHARED_QUEUES, SharedQueue
from fleet.store.connection import RedisClient
from fleet.store.session_counts import SessionCountStore
from fleet.store.waiting import WaitingStore


@dataclass(frozen=True)
class LostWorker:
    """`since`: its lease ran out. `is_settled`: what it held has been handed over."""

    name: str
    since: datetime
    is_settled: bool


@dataclass(frozen=True)
class QueueState:
    """`high_since`: since when too many wait; None: few enough."""

    name: SharedQueue
    waiting: int
    limit: int
    high_since: datetime | None


@dataclass(frozen=True)
class FleetState:
    """`jobs_waiting`: on the lists of sessions. `messages`: in the hands of workers. `unable_since`: when a worker that
    takes work reported last; None: one does.
    """

    workers: list[WorkerReport]
    lost: list[LostWorker]
    unable_since: datetime | None
    sessions: dict[SessionState, int]
    jobs_waiting: int
    messages: int
    queues: list[QueueState]
    viewers: int

    @property
    def jobs_queued(self) -> int:
        return self.jobs_waiting + sum(queue.waiting for queue in self.queues)


@dataclass(frozen=True)
class _Index:
    """What the first round trip brings: who there is, and what needs no second."""

    workers: dict[str, float]
    lost: dict[str, float]
    able_at: str | None
    viewers: int
    # Of each shared queue: how many wait, and since when too many do.
    queues: list[tuple[int, str | None]]


@dataclass(frozen=True)
class _Details:
    workers: list[WorkerReport]
    messages: int


class FleetStateStore:
    def __init__(self, client: RedisClient, waiting: WaitingStore, session_counts: SessionCountStore) -> None:
        self._client = client
        self._session_counts = session_counts
        self._waiting = waiting

    def read(self) -> FleetState:
        index = self._read_index()
        found = self._read_details(index)
        sessions = self._session_counts.read()
        queues = zip(SHARED_QUEUES, index.queues, strict=True)
        return FleetState(
            workers=sorted(found.workers, key=lambda report: report.name),
            lost=_lost(index, {report.name for report in found.workers}),
            unable_since=None if any(one.takes_work for one in found.workers) else self._able_at(index),
            sessions=sessions.by_state,
            jobs_waiting=sessions.jobs_waiting,
            messages=found.messages,
            queues=[self._queue(name, waiting, noted) for name, (waiting, noted) in queues],
            viewers=index.viewers,
        )

    def _read_index(self) -> _Index:
        now = utc_now().timestamp()
        with self._client.pipeline(transaction=False) as batch:
            batch.zrange(keys.WORKER_INDEX, 0, -1, withscores=True)
            batch.zrangebyscore(keys.WORKERS_LOST, now - WORKER_LOST_STAYS.total_seconds(), "+inf", withscores=True)
            batch.get(keys.WORKERS_ABLE)
            batch.zcount(keys.VIEWERS, f"({now * 1000}", "+inf")
            for queue in SHARED_QUEUES:
                batch.zcard(keys.waiting(queue))
                batch.get(keys.waiting_high(queue))
            workers, lost, able_at, viewers, *queues = batch.execute()
        return _Index(
            workers=dict(workers),
            lost=dict(lost),
            able_at=able_at,
            viewers=viewers,
            queues=list(zip(queues[::2], queues[1::2], strict=True)),
        )

    def _read_details(self, index: _Index) -> _Details:
        with self._client.pipeline(transaction=False) as batch:
            for name in index.workers:
                batch.get(keys.worker(name))
                batch.hlen(keys.worker_messages(name))
            answers = batch.execute()
        return _Details(
            workers=[WorkerReport.model_validate_json(report) for report in answers[::2] if report],
            messages=sum(answers[1::2]),
        )

    def _able_at(self, index: _Index) -> datetime:
        """A fleet that never had one that takes work lacks it since somebody asked first."""
        if index.able_at is not None:
            return datetime.fromisoformat(index.able_at)
        with self._client.pipeline(transaction=False) as batch:
            batch.set(keys.WORKERS_ABLE, utc_now().isoformat(), nx=True, ex=keys.INDEX_SECONDS)
            batch.get(keys.WORKERS_ABLE)
            return datetime.fromisoformat(cast("str", batch.execute()[1]))

    def _queue(self, name: SharedQueue, waiting: int, noted: str | None) -> QueueState:
        since = self._waiting.high_since(name, waiting, noted)
        return QueueState(name=name, waiting=waiting, limit=self._waiting.limit, high_since=since)


def _lost(index: _Index, reporting: set[str]) -> list[LostWorker]:
    """Not those that have left of themselves, nor those that are back."""
    oldest = utc_now().timestamp() - keys.WORKER_LEASE_SECONDS
    unsettled = {
        name: reported_at + keys.WORKER_LEASE_SECONDS
        for name, reported_at in index.workers.items()
        if 0 < reported_at < oldest
    }
    since = {**index.lost, **unsettled}
    return [
        LostWorker(name, datetime.fromtimestamp(since[name], UTC), is_settled=name not in unsettled)
        for name in sorted(since)
        if name not in reporting
    ]
