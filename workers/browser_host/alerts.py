"""Which alerts this worker has, decided from one look to the next: an alert keeps its `since` until it clears."""

from dataclasses import dataclass
from datetime import datetime

from fleet.alerts import (
    CHROME_DOWN,
    CHROME_DOWN_STAYS,
    MEMORY_HIGH,
    RESPONSES_HIGH,
    SESSIONS_HIGH,
    STORAGE_DOWN,
    LimitRule,
)
from fleet.models.alert import Alert

# A worker that holds hundreds of sessions says it of those with the most responses only.
_SESSIONS_TOLD_MAX = 10
_MIB = 2**20

# Name, and the session it is about.
_Subject = tuple[str, str | None]


@dataclass(frozen=True)
class WorkerNumbers:
    """`chromes_lost`: how many have ended that were not asked to, so far. `responses`: by session.

    `storage_failure`: why artifacts could not be written when that was tried last; None: they could.
    """

    chrome_up: bool
    chromes_lost: int
    storage_failure: str | None
    sessions: int
    session_limit: int
    memory_bytes: int
    memory_limit_bytes: int
    responses: dict[str, int]
    response_limit: int


class WorkerAlerts:
    def __init__(self, worker: str, *, chrome_lost_at: datetime | None = None) -> None:
        """`chrome_lost_at`: the host before this one has ended, and its Chrome with it."""
        self._worker = worker
        self._chrome_lost_at = chrome_lost_at
        self._chromes_lost = 0
        self._since: dict[_Subject, datetime] = {}

    def look(self, numbers: WorkerNumbers, now: datetime) -> list[Alert]:
        """Those that hold now. To be called at each round, with its time."""
        alerts = [
            *self._chrome(numbers, now),
            *self._storage(numbers, now),
            *self._memory(numbers, now),
            *self._sessions(numbers, now),
            *self._responses(numbers, now),
        ]
        self._since = {(alert.name, alert.session_id): alert.since for alert in alerts}
        return alerts

    def _chrome(self, numbers: WorkerNumbers, now: datetime) -> list[Alert]:
        if not numbers.chrome_up or numbers.chromes_lost > self._chromes_lost:
            self._chrome_lost_at = now
        self._chromes_lost = numbers.chromes_lost
        if self._chrome_lost_at is None or now - self._chrome_lost_at >= CHROME_DOWN_STAYS:
            return []
        what = (
            "ended by itself or did not answer a moment ago"
            if numbers.chrome_up
            else "is not there, or does not answer"
        )
        return [
            Alert(
                name=CHROME_DOWN.name,
                severity=CHROME_DOWN.severity,
                worker=self._worker,
                value=int(numbers.chrome_up),
                threshold=1,
                since=self._since.get((CHROME_DOWN.name, None), now),
                message=CHROME_DOWN.message(worker=self._worker, what=what),
            )
        ]

    def _storage(self, numbers: WorkerNumbers, now: datetime) -> list[Alert]:
        if numbers.storage_failure is None:
            return []
        return [
            Alert(
                name=STORAGE_DOWN.name,
                severity=STORAGE_DOWN.severity,
                worker=self._worker,
                value=0,
                threshold=1,
                since=self._since.get((STORAGE_DOWN.name, None), now),
                message=STORAGE_DOWN.message(worker=self._worker, what=numbers.storage_failure),
            )
        ]

    def _memory(self, numbers: WorkerNumbers, now: datetime) -> list[Alert]:
        return self._limit(MEMORY_HIGH, numbers.memory_bytes, numbers.memory_limit_bytes, now, unit=_MIB)

    def _sessions(self, numbers: WorkerNumbers, now: datetime) -> list[Alert]:
        return self._limit(SESSIONS_HIGH, numbers.sessions, numbers.session_limit, now)

    def _responses(self, numbers: WorkerNumbers, now: datetime) -> list[Alert]:
        most_first = sorted(numbers.responses.items(), key=lambda counted: -counted[1])
        return [
            alert
            for session_id, stored in most_first[:_SESSIONS_TOLD_MAX]
            for alert in self._limit(RESPONSES_HIGH, stored, numbers.response_limit, now, session_id=session_id)
        ]

    def _limit(  # noqa: PLR0913  # one alert's facts
        self, rule: LimitRule, value: int, limit: int, now: datetime, *, session_id: str | None = None, unit: int = 1
    ) -> list[Alert]:
        """`unit`: in which the message tells both numbers."""
        since = self._since.get((rule.name, session_id))
        if not rule.holds(value, limit, is_raised=since is not None):
            return []
        return [
            Alert(
                name=rule.name,
                severity=rule.severity,
                worker=self._worker,
                session_id=session_id,
                value=value,
                threshold=rule.threshold(limit),
                since=since or now,
                message=rule.message(
                    worker=self._worker, session_id=session_id, used=value // unit, limit=limit // unit
                ),
            )
        ]
