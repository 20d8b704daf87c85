"""A worker that was taken for lost and is not: nothing of its sessions is lost, and nothing is done to them twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from fleet.artifacts.storage import open_storage
from fleet.models.job import JobKind
from fleet.models.session import EndReason, Session, SessionState
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.store.actors import Actor, pause_before_each_command
from tests.integration.store.small_fleet import SmallFleet, SmallWorker


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings.model_copy(update={"sessions_per_worker": 2}), retries=0)
    pause_before_each_command(opened)
    yield opened
    opened.client.close()


@pytest.fixture
def fleet(store: Store, settings: Settings) -> SmallFleet:
    started = SmallFleet(store, open_storage(settings.artifacts_url), ["one@here", "two@here"], limit=2)
    for worker in started.workers:
        worker.start()
        finish(worker)
    return started


@pytest.fixture
def one(fleet: SmallFleet) -> SmallWorker:
    return fleet.workers[0]


@pytest.fixture
def two(fleet: SmallFleet) -> SmallWorker:
    return fleet.workers[1]


@pytest.fixture
def session(fleet: SmallFleet, one: SmallWorker) -> str:
    """One that runs at worker one."""
    created = fleet.create(scripts=0)
    one.take(fleet.broker.shared, 0).go()
    return created


def finish(worker: SmallWorker) -> None:
    while actors := worker.actors():
        for actor in actors:
            actor.go()


def take_all(worker: SmallWorker, queue: list[Any]) -> None:
    while queue:
        worker.take(queue, 0).go()


def found(store: Store, session: str) -> Session:
    known = store.sessions.get(session)
    assert known is not None
    return known


def states(store: Store, fleet: SmallFleet, session: str) -> list[str]:
    jobs = [store.jobs.get(job_id) for job_id in fleet.accepted[session]]
    return [job.state.value for job in jobs if job is not None]


def lose(fleet: SmallFleet, lost: SmallWorker, other: SmallWorker) -> Actor:
    """The other's handing over, still to be done."""
    fleet.let_lease_run_out(lost)
    return other.look_for_lost()


def test_a_session_that_comes_back_to_the_worker_that_still_has_it_goes_on_as_it_was(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    lose(fleet, one, two).go()
    take_all(one, fleet.broker.shared)

    assert (found(store, session).state, found(store, session).generation) == (SessionState.RUNNING, 1)
    assert store.slots.holders(one.name) == [session]


def test_a_session_that_was_elsewhere_in_between_is_rebuilt_where_it_was_first(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    lose(fleet, one, two).go()
    take_all(two, fleet.broker.shared)
    lose(fleet, two, one).go()
    take_all(one, fleet.broker.shared)

    assert (found(store, session).worker, found(store, session).generation) == (one.name, 3)


def test_a_slot_that_is_taken_while_the_estate_is_handed_over_stays(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    handing_over = lose(fleet, one, two)
    # It has seen what there is.
    handing_over.go(7)
    new = fleet.create(scripts=0)
    one.take(fleet.broker.shared, -1).go()
    handing_over.go()

    assert found(store, new).worker == one.name
    assert new in store.slots.holders(one.name)
    assert session in [letter.argument for letter in fleet.broker.shared]


def test_a_wake_up_that_waits_for_a_lost_worker_is_not_lost_with_it(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    fleet.submit(session, JobKind.CAPTURE)
    store.sessions.end(session, EndReason.DELETED)
    one.kill()
    lose(fleet, one, two).go()
    take_all(two, fleet.broker.shared)
    take_all(two, two.queue)

    assert states(store, fleet, session) == ["succeeded", "failed"]


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_job_that_a_killed_worker_had_in_hand_ends(
    fleet: SmallFleet, store: Store, one: SmallWorker, session: str, has_ended: bool
) -> None:
    two = fleet.workers[1]
    fleet.submit(session, JobKind.CAPTURE)
    one.take(one.queue, 0).go(6)
    if has_ended:
        store.sessions.end(session, EndReason.DELETED)
    one.kill()
    lose(fleet, one, two).go()
    take_all(two, fleet.broker.shared)
    take_all(two, two.queue)

    assert states(store, fleet, session) == ["succeeded", "failed" if has_ended else "succeeded"]


def test_a_job_that_a_killed_worker_had_in_hand_runs_as_soon_as_it_is_back(
    fleet: SmallFleet, store: Store, one: SmallWorker, session: str
) -> None:
    fleet.submit(session, JobKind.CAPTURE)
    one.take(one.queue, 0).go(6)
    one.kill()
    one.start()
    finish(one)
    take_all(one, fleet.broker.shared)

    assert states(store, fleet, session) == ["succeeded", "succeeded"]


def test_jobs_of_a_session_that_ends_while_nobody_holds_it_end(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    one.kill()
    lose(fleet, one, two).go()
    fleet.submit(session, JobKind.CAPTURE)
    store.sessions.end(session, EndReason.DELETED)
    take_all(two, fleet.broker.shared)
    take_all(two, two.queue)

    assert states(store, fleet, session) == ["succeeded", "failed"]


def test_a_session_that_another_worker_has_by_now_is_not_ended_by_the_one_that_was_restoring_it(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    assert store.session_moves.give_up(session, one.name)
    fleet.broker.send_task("fleet.restore_session", args=[session], queue="sessions")
    one.host.kill()
    one.host.start()
    finish(one)
    restoring = one.take(fleet.broker.shared, 0)
    while session not in one.host.held:
        restoring.go(1)
    lose(fleet, one, two).go()
    take_all(two, fleet.broker.shared)
    restoring.go()

    assert (found(store, session).worker, found(store, session).state) == (two.name, SessionState.RUNNING)


def test_a_wake_up_that_came_while_another_one_found_the_session_elsewhere_is_not_lost(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    fleet.submit(session, JobKind.CAPTURE)
    assert store.session_moves.give_up(session, one.name)
    fleet.broker.send_task("fleet.restore_session", args=[session], queue="sessions")
    late = one.take(one.queue, 0)
    # It has the lock, and has seen that nobody holds the session.
    late.go(4)
    take_all(two, fleet.broker.shared)
    take_all(two, two.queue)
    late.go()
    take_all(two, two.queue)

    assert states(store, fleet, session) == ["succeeded", "succeeded"]


def test_a_wake_up_waits_while_its_session_is_drained_and_outlives_its_end(
    fleet: SmallFleet, store: Store, one: SmallWorker, session: str
) -> None:
    fleet.submit(session, JobKind.CAPTURE)
    assert store.session_moves.drain(session, one.name)
    one.host.call("close_session", {"session_id": session}, timeout_seconds=1)
    one.take(one.queue, 0).go()
    store.sessions.end(session, EndReason.DELETED)
    take_all(one, one.queue)

    assert states(store, fleet, session) == ["succeeded", "failed"]


@pytest.mark.parametrize("state", [SessionState.RUNNING, SessionState.RESTORING])
def test_a_worker_that_drains_gives_away_its_sessions_also_those_that_are_being_rebuilt(
    fleet: SmallFleet, store: Store, one: SmallWorker, session: str, state: SessionState
) -> None:
    if state is SessionState.RESTORING:
        assert store.session_moves.lose_context(session, one.name, crashed=False)
    store.workers.ask_to_drain(one.name)
    one.host.renew_lease()
    finish(one)
    one.hand_over_drained().go()

    assert found(store, session).worker is None
    assert [letter.argument for letter in fleet.broker.shared] == [session]


def test_a_session_that_comes_to_run_after_the_drain_began_is_given_away_too(
    fleet: SmallFleet, store: Store, one: SmallWorker
) -> None:
    created = fleet.create(scripts=0)
    creation = one.take(fleet.broker.shared, 0)
    creation.go(6)
    store.workers.ask_to_drain(one.name)
    one.host.renew_lease().go()
    finish(one)
    one.host.renew_lease()
    finish(one)
    one.hand_over_drained().go()

    assert found(store, created).worker is None


def test_a_paused_worker_does_not_overwrite_the_checkpoint_of_the_one_that_took_over(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    lose(fleet, one, two).go()
    take_all(two, fleet.broker.shared)
    for worker in (two, one):
        for held in worker.host.contexts():
            held.checkpoint_is_due = True
        worker.host.take_checkpoints()
        finish(worker)

    checkpoint = store.checkpoints.get(session)
    assert checkpoint is not None
    assert checkpoint.url == f"{two.name}/2"


def test_a_paused_worker_whose_chrome_dies_does_not_take_its_sessions_back(
    fleet: SmallFleet, store: Store, one: SmallWorker, two: SmallWorker, session: str
) -> None:
    lose(fleet, one, two).go()
    take_all(two, fleet.broker.shared)
    one.host.lose_chrome()
    finish(one)

    assert (found(store, session).worker, found(store, session).generation) == (two.name, 2)
    assert one.host.held == {}
