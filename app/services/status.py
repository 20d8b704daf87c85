"""The fleet at one moment: every number beside its limit, and what alerts hold."""

from typing import Literal

from fleet.alerts import NO_WORKERS, QUEUE_HIGH, WORKER_LOST
from fleet.clock import utc_now
from fleet.models.alert import Alert, Severity
from fleet.models.status import (
    ChromeStatus,
    JobsStatus,
    MemoryStatus,
    QueueStatus,
    ResponsesStatus,
    SessionsStatus,
    Status,
    ViewersStatus,
)
from fleet.models.worker import WorkerReport
from fleet.store import Store
from fleet.store.fleet_state import FleetState

_WORST_FIRST = [Severity.CRITICAL, Severity.WARNING, Severity.INFO]


class StatusService:
    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> Status:
        state = self._store.fleet_state.read()
        workers = state.workers
        alerts = _worst_first([*_fleet_alerts(state), *(alert for worker in workers for alert in worker.alerts)])
        return Status(
            status=_worst(alerts),
            at=utc_now(),
            sessions=SessionsStatus(
                open=sum(state.sessions.values()),
                limit=sum(worker.session_limit for worker in workers),
                by_state=state.sessions,
            ),
            jobs=JobsStatus(
                queued=state.jobs_waiting + sum(queue.waiting for queue in state.queues), running=state.messages
            ),
            queues=[QueueStatus(name=one.name, waiting=one.waiting, limit=one.limit) for one in state.queues],
            memory=MemoryStatus(
                bytes=sum(worker.memory_bytes for worker in workers),
                limit_bytes=sum(worker.memory_limit_bytes for worker in workers),
            ),
            responses=self._responses(workers),
            viewers=ViewersStatus(count=state.viewers, limit=self._store.viewers.limit),
            chrome=ChromeStatus(up=sum(worker.chrome_up for worker in workers), expected=len(workers)),
            workers=workers,
            alerts=alerts,
        )

    def _responses(self, workers: list[WorkerReport]) -> ResponsesStatus:
        return ResponsesStatus(
            stored=sum(worker.responses_stored for worker in workers),
            most_in_a_session=max((worker.most_responses for worker in workers), default=0),
            limit_per_session=self._store.responses.limit,
        )


def _worst_first(alerts: list[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda alert: (_WORST_FIRST.index(alert.severity), alert.since))


def _worst(alerts: list[Alert]) -> Literal["ok", "warning", "critical"]:
    severities = {alert.severity for alert in alerts}
    if Severity.CRITICAL in severities:
        return "critical"
    return "warning" if Severity.WARNING in severities else "ok"


def _fleet_alerts(state: FleetState) -> list[Alert]:
    return [*_no_workers(state), *_lost_workers(state), *_full_queues(state)]


def _no_workers(state: FleetState) -> list[Alert]:
    if state.unable_since is None:
        return []
    return [
        Alert(
            name=NO_WORKERS.name,
            severity=NO_WORKERS.severity,
            value=0,
            threshold=1,
            since=state.unable_since,
            message=NO_WORKERS.message(),
        )
    ]


def _lost_workers(state: FleetState) -> list[Alert]:
    return [
        Alert(
            name=WORKER_LOST.name,
            severity=WORKER_LOST.severity,
            worker=lost.name,
            value=1,
            threshold=0,
            since=lost.since,
            message=WORKER_LOST.message(
                worker=lost.name,
                what="others have taken over what it held" if lost.is_settled else "what it held waits for a worker",
            ),
        )
        for lost in state.lost
    ]


def _full_queues(state: FleetState) -> list[Alert]:
    return [
        Alert(
            name=QUEUE_HIGH.name,
            severity=QUEUE_HIGH.severity,
            value=queue.waiting,
            threshold=QUEUE_HIGH.threshold(queue.limit),
            since=queue.high_since,
            message=QUEUE_HIGH.message(used=queue.waiting, limit=queue.limit, queue=queue.name),
        )
        for queue in state.queues
        if queue.high_since is not None
    ]
