"""What is done with a simulated fleet, each several times, and what one of it costs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from benchmarks.fleet_without_chrome import SimulatedFleet, SimulatedWorker
from benchmarks.redis_cost import Cost, cost_of
from fleet import keys
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.job import Job, JobKind, JobState
from fleet.models.viewer import Viewer
from fleet.queues import CAPTURES_QUEUE
from fleet.store import VISIBILITY_TIMEOUT_SECONDS

_TIMES = 10
_PAGE = {"url": "http://a.example/"}
_LONG_AGO = timedelta(seconds=VISIBILITY_TIMEOUT_SECONDS)


@dataclass(frozen=True)
class Measured:
    """One operation in a fleet of so many workers. `heard`: messages that came to browser hosts for it."""

    operation: str
    workers: int
    cost: Cost
    heard: float


def measure_all(fleet: SimulatedFleet) -> list[Measured]:
    return [_measure(fleet, name, prepare) for name, prepare in OPERATIONS.items()]


@dataclass
class Work:
    """`of`: what each step works on."""

    step: Callable[[Any], object]
    of: list[Any] = field(default_factory=lambda: list(range(_TIMES)))


def _measure(fleet: SimulatedFleet, name: str, prepare: Callable[[SimulatedFleet], Work]) -> Measured:
    work = prepare(fleet)
    fleet.hear_all()
    heard = fleet.heard
    with cost_of(fleet.store.client, len(work.of)) as cost:
        for one in work.of:
            work.step(one)
    fleet.drain()
    fleet.hear_all()
    for worker in _some(fleet):
        worker.keep_lease()
    return Measured(name, len(fleet.workers), cost, (fleet.heard - heard) / len(work.of))


def _post(fleet: SimulatedFleet, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return _done(fleet, fleet.api.post(path, json=body))


def _done(fleet: SimulatedFleet, accepted: TestResponse) -> dict[str, Any]:
    """The answer to a request whose job is done by now."""
    answer: dict[str, Any] = accepted.get_json()
    assert accepted.status_code == 202, answer
    fleet.run_job(answer["job"]["id"])
    return answer


def _some(fleet: SimulatedFleet) -> list[SimulatedWorker]:
    return fleet.workers[: min(_TIMES, len(fleet.workers))]


def _creation_and_deletion(fleet: SimulatedFleet) -> Work:
    def step(_: int) -> None:
        session_id = _post(fleet, "/api/sessions", {})["session"]["id"]
        _done(fleet, fleet.api.delete(f"/api/sessions/{session_id}"))

    return Work(step)


def _capture(fleet: SimulatedFleet) -> Work:
    return Work(lambda _: _post(fleet, "/api/captures", _PAGE))


def _capture_in_session(fleet: SimulatedFleet) -> Work:
    session_id = fleet.workers[-1].held.ids[0]
    return Work(lambda _: _post(fleet, f"/api/sessions/{session_id}/captures", _PAGE))


def _expiry(fleet: SimulatedFleet) -> Work:
    worker = fleet.workers[-1]

    def step(session_id: str) -> None:
        client = fleet.store.client
        names = keys.session(session_id), keys.session_options(session_id), keys.session_grave(session_id)
        with client.pipeline(transaction=False) as batch:
            for name in names:
                batch.pexpire(name, 1)
            batch.execute()
        # Redis tells of a key's end when it finds it.
        fleet.until(lambda: not client.exists(*names))
        fleet.until(lambda: not worker.held.is_held(session_id))

    return Work(step, [worker.hold_session(), worker.hold_session()])


def _status(fleet: SimulatedFleet) -> Work:
    return Work(lambda _: _get(fleet, "/api/status"))


def _metrics(fleet: SimulatedFleet) -> Work:
    return Work(lambda _: _get(fleet, "/metrics"))


def _list_of_sessions(fleet: SimulatedFleet) -> Work:
    return Work(lambda _: _get(fleet, "/api/sessions"))


def _list_of_workers(fleet: SimulatedFleet) -> Work:
    return Work(lambda _: _get(fleet, "/api/workers"))


def _get(fleet: SimulatedFleet, path: str) -> None:
    assert fleet.api.get(path).status_code == 200


def _sweep(fleet: SimulatedFleet) -> Work:
    return Work(SimulatedWorker.sweep, _some(fleet))


def _lease(fleet: SimulatedFleet) -> Work:
    return Work(SimulatedWorker.renew_lease, _some(fleet))


def _look_at_sessions(fleet: SimulatedFleet) -> Work:
    return Work(SimulatedWorker.look_at_sessions, _some(fleet))


def _looks(fleet: SimulatedFleet) -> Work:
    return Work(SimulatedWorker.look, _some(fleet))


def _looks_with_a_lost_message(fleet: SimulatedFleet) -> Work:
    """A job has waited for long, its message is not in the queue: a worker has it in hand, who knows."""
    job = Job(id=new_id("job"), kind=JobKind.CAPTURE, queued_at=utc_now() - _LONG_AGO)
    fleet.store.jobs.create(job, "{}")
    fleet.store.waiting.try_join(CAPTURES_QUEUE, job.id, job.queued_at)
    fleet.workers[-1].take_in_hand(job.id)
    return Work(SimulatedWorker.look, _some(fleet))


def _cancelling(fleet: SimulatedFleet) -> Work:
    def running(worker: SimulatedWorker) -> str:
        job = Job(id=new_id("job"), kind=JobKind.CAPTURE, queued_at=utc_now())
        fleet.store.jobs.create(job, "{}")
        fleet.store.jobs.move(job, JobState.RUNNING, worker=worker.name, started_at=utc_now(), attempts=1)
        return job.id

    def step(job_id: str) -> None:
        assert fleet.api.delete(f"/api/jobs/{job_id}").status_code == 202

    return Work(step, [running(worker) for worker in _some(fleet)])


def _viewer(fleet: SimulatedFleet) -> Work:
    session_id = fleet.workers[-1].held.ids[0]

    def step(_: int) -> None:
        viewer = Viewer(id=new_id("vwr"), session_id=session_id)
        fleet.store.viewers.join(viewer)
        fleet.store.viewers.leave(viewer)

    return Work(step)


OPERATIONS: dict[str, Callable[[SimulatedFleet], Work]] = {
    "create and delete a session": _creation_and_deletion,
    "capture": _capture,
    "capture in a session": _capture_in_session,
    "expiry of a session": _expiry,
    "cancel a running job": _cancelling,
    "a viewer comes and goes": _viewer,
    "sweep of one worker": _sweep,
    "lease of one worker": _lease,
    "a host looks at its sessions": _look_at_sessions,
    "looks of one worker": _looks,
    "looks, a message missing": _looks_with_a_lost_message,
    "GET /api/status": _status,
    "GET /metrics": _metrics,
    "GET /api/sessions": _list_of_sessions,
    "GET /api/workers": _list_of_workers,
}
