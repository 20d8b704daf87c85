"""What a pool child makes of a job whose store fails, or whose message comes a second time."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet.artifacts.storage import open_storage
from fleet.errors import BrowserUnavailable, FleetError, SessionEnded, StoreUnavailable, WorkerStopping
from fleet.ids import new_id
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.job import Job, JobKind, JobState
from fleet.models.manifest import PageVisit
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from tests.factories import a_job, a_manifest, a_worker_report
from tests.integration.as_worker import WORKER, open_session, start, succeed
from tests.integration.tiny_disk import fill
from workers import job_runner
from workers.artifact_writer import ArtifactWriter
from workers.capture_runner import CaptureRunner
from workers.interruptions import WorkerLeaves
from workers.job_runner import JobRunner
from workers.link.client import HostClient
from workers.metrics import WorkerCounts
from workers.session_runner import SessionRunner
from workers.session_work import SessionWork

OTHER = "fleet@other"


class CapturingHost(HostClient):
    """Has captured the page, whatever it is; before that it does not reach the store, so many times."""

    def __init__(self, *, failures: int = 0) -> None:
        super().__init__(Path("/nowhere"))
        self._failures = failures

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("The store does not answer.")
        visit = PageVisit.model_validate(a_manifest().model_dump(exclude={"artifacts"}))
        output = {"kind": "html", "media_type": "text/html", "content": b"<p>captured"}
        return {"visit": visit.model_dump_json(), "outputs": [output]}


def a_writer(store: Store, settings: Settings) -> ArtifactWriter:
    return ArtifactWriter(store.artifacts, open_storage(settings.artifacts_url), ttl=timedelta(seconds=60))


def a_runner(store: Store, settings: Settings, *, failures: int = 0) -> CaptureRunner:
    host, jobs = CapturingHost(failures=failures), JobRunner(store, WorkerCounts())
    return CaptureRunner(store, host, jobs, a_writer(store, settings))


def a_session_runner(store: Store, settings: Settings, host: HostClient) -> SessionRunner:
    work = SessionWork(store, host, a_writer(store, settings))
    return SessionRunner(store, host, JobRunner(store, WorkerCounts()), work)


def kept(store: Store, **changes: Any) -> Job:
    """A capture that waits to be run."""
    job = a_job(**changes)
    request = OneShotCaptureRequest.model_validate({"url": "http://a.example/"})
    store.jobs.create(job, request.model_dump_json(exclude_unset=True))
    return job


def test_a_job_that_the_store_failed_is_run_again_as_its_message_comes_back(store: Store, settings: Settings) -> None:
    job, runner = kept(store), a_runner(store, settings, failures=1)
    with pytest.raises(StoreUnavailable):
        runner.run(job.id, worker=WORKER, redelivered=False)
    runner.run(job.id, worker=WORKER, redelivered=True)
    again = store.jobs.get(job.id)
    assert again is not None
    assert (again.state, again.attempts) == (JobState.SUCCEEDED, 2), again.error


class AbsentHost(HostClient):
    def __init__(self, error: FleetError | None = None) -> None:
        super().__init__(Path("/nowhere"))
        self._error = error or BrowserUnavailable("The browser host of this worker does not run. Send the job again.")

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise self._error


def test_a_job_whose_host_stays_away_says_how_often_it_was_tried(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "_AGAIN_SECONDS", 0)
    job, jobs = kept(store), JobRunner(store, WorkerCounts())
    CaptureRunner(store, AbsentHost(), jobs, a_writer(store, settings)).run(job.id, worker=WORKER, redelivered=False)
    failed = store.jobs.get(job.id)
    assert failed is not None
    assert failed.error is not None
    assert (failed.state, failed.attempts, failed.error.code) == (JobState.FAILED, 3, BrowserUnavailable.code)


@pytest.mark.parametrize(
    ("life_began_seconds_before", "state"),
    # A worker that stood still goes on with the job; one that was started anew since then does not.
    [(60, JobState.RUNNING), (-1, JobState.SUCCEEDED)],
)
def test_a_message_that_was_sent_again_is_left_to_the_life_of_a_worker_that_runs_it(
    store: Store, settings: Settings, life_began_seconds_before: float, state: JobState
) -> None:
    job = start(store, kept(store).id)
    assert job.started_at is not None
    began = job.started_at - timedelta(seconds=life_began_seconds_before)
    store.workers.renew(a_worker_report(name=WORKER, started_at=began))
    a_runner(store, settings).run(job.id, worker=OTHER, redelivered=False)
    now = store.jobs.get(job.id)
    assert now is not None
    assert now.state is state


def test_a_job_whose_artifacts_find_no_room_fails_and_is_worth_a_retry(
    store: Store, settings: Settings, tiny_disk: Path
) -> None:
    full = settings.model_copy(update={"artifacts_url": f"file:{tiny_disk}"})
    first, again, runner = kept(store), kept(store), a_runner(store, full)
    ballast = fill(tiny_disk)
    runner.run(first.id, worker=WORKER, redelivered=False)
    ballast.unlink()
    runner.run(again.id, worker=WORKER, redelivered=False)

    failed, succeeded = store.jobs.get(first.id), store.jobs.get(again.id)
    assert failed is not None
    assert failed.error is not None
    assert (failed.state, failed.result, failed.error.code) == (JobState.FAILED, None, "storage_unavailable")
    assert failed.error.details == {"retry_after": 10, "reason": "No space left on device"}
    assert succeeded is not None
    assert succeeded.state is JobState.SUCCEEDED


def test_of_a_job_whose_artifacts_find_no_room_none_is_visible(
    store: Store, settings: Settings, tiny_disk: Path
) -> None:
    full = settings.model_copy(update={"artifacts_url": f"file:{tiny_disk}"})
    runner, job = a_runner(store, full), kept(store)
    fill(tiny_disk)
    runner.run(job.id, worker=WORKER, redelivered=False)

    assert list(store.client.scan_iter("fleet:artifact:*")) == []
    assert [path.name for path in tiny_disk.rglob("*") if path.is_file()] == ["ballast"]


class LosingHost(HostClient):
    """Finds that another worker has taken the session over."""

    def __init__(self, store: Store, session_id: str) -> None:
        super().__init__(Path("/nowhere"))
        self._store = store
        self._session_id = session_id

    def call(self, command: str, *_: Any, **__: Any) -> dict[str, Any]:
        if command == "close_session":
            return {"closed": False}
        self._store.session_moves.give_up(self._session_id, WORKER)
        self._store.session_moves.bind(self._session_id, OTHER)
        raise SessionEnded("This worker does not hold the session any more.", end_reason="unknown")


def a_session(store: Store) -> str:
    """The id of one that WORKER holds."""
    session_id, creation = new_id("ses"), a_job(kind=JobKind.SESSION_CREATE)
    store.jobs.create(creation, "{}")
    store.sessions.create(session_id, ttl=60, max_lifetime=600, metadata={}, options_json="{}", job_id=creation.id)
    open_session(store, session_id, creation.id)
    return session_id


def test_a_job_whose_session_moves_under_it_is_left_to_the_worker_that_has_the_session(
    store: Store, settings: Settings
) -> None:
    session_id = a_session(store)
    job = kept(store, session_id=session_id)
    store.sessions.add_job(session_id, job.id)
    runner = a_session_runner(store, settings, LosingHost(store, session_id))
    assert runner.run_job(session_id, runner="message", worker=WORKER) == OTHER
    now = store.jobs.get(job.id)
    assert now is not None
    assert now.state is JobState.RUNNING
    assert store.session_jobs.claim(session_id, "of the other") == job.id


def test_a_session_that_moves_while_it_is_restored_lives_on(store: Store, settings: Settings) -> None:
    session_id = a_session(store)
    store.session_moves.give_up(session_id, WORKER)
    runner = a_session_runner(store, settings, LosingHost(store, session_id))
    assert runner.restore(session_id, worker=WORKER) == OTHER
    assert store.sessions.workers_of([session_id]) == {session_id: OTHER}
    assert store.slots.holders(WORKER) == []


class ReturningHost(CapturingHost):
    """Loses the session in the first call; by the second it is back."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def call(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        self._calls += 1
        if self._calls == 1:
            raise SessionEnded("The session's context was closed under the job.", end_reason="unknown")
        return super().call(*arguments, **options)


@pytest.mark.parametrize(
    ("actions", "end"),
    [
        ([], (JobState.SUCCEEDED, 2, None)),
        ([{"kind": "evaluate", "expression": "0"}], (JobState.FAILED, 1, "session_restored")),
    ],
)
def test_a_job_whose_session_went_and_came_back_has_not_seen_its_end(
    store: Store, settings: Settings, actions: list[dict[str, str]], end: tuple[JobState, int, str | None]
) -> None:
    session_id = a_session(store)
    job = a_job(session_id=session_id)
    request = CaptureRequest.model_validate({"url": "http://a.example/", "actions": actions})
    store.jobs.create(job, request.model_dump_json(exclude_unset=True))
    store.sessions.add_job(session_id, job.id)
    runner = a_session_runner(store, settings, ReturningHost())
    runner.run_job(session_id, runner="message", worker=WORKER)
    now = store.jobs.get(job.id)
    assert now is not None
    assert (now.state, now.attempts, now.error and now.error.code) == end


def a_creation(store: Store, *, attempts: int = 0, **changes: Any) -> Job:
    """Of a session, that waits to be run by a worker with room."""
    session_id = new_id("ses")
    creation = a_job(kind=JobKind.SESSION_CREATE, session_id=session_id, attempts=attempts, **changes)
    store.jobs.create(creation, "{}")
    store.sessions.create(session_id, ttl=60, max_lifetime=600, metadata={}, options_json="{}", job_id=creation.id)
    store.workers.renew(a_worker_report(name=WORKER))
    return creation


def what_is_left(store: Store, creation: Job) -> tuple[JobState, EndReason | None, list[str]]:
    """State of the job, why its session has ended, the slots of the worker."""
    job, session_id = store.jobs.get(creation.id), creation.session_id or ""
    ending = store.sessions.ending(session_id) if store.sessions.get(session_id) is None else None
    assert job is not None
    return job.state, ending.end_reason if ending else None, store.slots.holders(WORKER)


@pytest.mark.parametrize("attempts", [0, 2, 3])
def test_a_session_whose_creation_fails_has_ended_and_holds_no_slot(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    monkeypatch.setattr(job_runner, "_AGAIN_SECONDS", 0)
    creation = a_creation(store, attempts=attempts)
    runner = a_session_runner(store, settings, AbsentHost())
    runner.run_job(creation.session_id or "", runner="message", worker=WORKER)
    assert what_is_left(store, creation) == (JobState.FAILED, EndReason.CREATE_FAILED, [])


def test_a_creation_whose_worker_stops_in_its_last_attempt_is_left_to_another(store: Store, settings: Settings) -> None:
    creation = a_creation(store, attempts=2)
    runner = a_session_runner(store, settings, AbsentHost(WorkerStopping("This worker stops.")))
    with pytest.raises(WorkerLeaves):
        runner.run_job(creation.session_id or "", runner="message", worker=WORKER)
    assert what_is_left(store, creation) == (JobState.QUEUED, None, [])


def test_a_session_lives_whose_creation_succeeded_in_its_last_attempt_and_is_sent_again(
    store: Store, settings: Settings
) -> None:
    creation = a_creation(store, attempts=2)
    session_id = creation.session_id or ""
    assert store.session_moves.start(session_id, WORKER)
    assert store.sessions.renew(session_id)
    succeed(store, creation.id)
    a_session_runner(store, settings, AbsentHost()).run_job(session_id, runner="message", worker=WORKER)
    assert what_is_left(store, creation)[:2] == (JobState.SUCCEEDED, None)


def test_a_session_that_another_worker_has_created_meanwhile_lives(store: Store, settings: Settings) -> None:
    creation = a_creation(store)
    session_id = creation.session_id or ""
    assert store.session_moves.start(session_id, OTHER)
    a_session_runner(store, settings, CapturingHost()).run_job(session_id, runner="message", worker=WORKER)
    assert what_is_left(store, creation)[1:] == (None, [])
    assert store.sessions.workers_of([session_id]) == {session_id: OTHER}
