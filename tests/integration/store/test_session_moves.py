"""Which worker holds a session: of two movers one wins, and nobody moves what has ended."""

from collections.abc import Callable

import pytest

from fleet import keys
from fleet.models.session import EndReason, SessionState
from fleet.store import Store
from tests.integration.store.test_session_store import create

ONE, TWO = "fleet@one", "fleet@two"


@pytest.fixture
def running(store: Store) -> str:
    """The id of a session that worker ONE holds."""
    session_id = create(store)
    assert store.session_moves.start(session_id, ONE)
    return session_id


@pytest.fixture
def given_up(store: Store, running: str) -> str:
    """The id of a session that nobody holds."""
    assert store.session_moves.give_up(running, ONE)
    return running


def where(store: Store, session_id: str) -> tuple[SessionState, str | None, int]:
    session = store.sessions.get(session_id)
    assert session is not None
    return session.state, session.worker, session.generation


def test_a_session_whose_creation_is_done_runs_at_its_worker(store: Store, running: str) -> None:
    assert where(store, running) == (SessionState.RUNNING, ONE, 1)


def test_a_creation_may_be_done_a_second_time(store: Store, running: str) -> None:
    assert store.session_moves.start(running, ONE)


def test_a_creation_is_not_done_by_a_second_worker(store: Store, running: str) -> None:
    assert not store.session_moves.start(running, TWO)


def test_the_end_of_a_creation_leaves_the_lock_of_its_runner(store: Store) -> None:
    session_id = create(store)
    store.session_jobs.claim(session_id, "runner")
    store.session_moves.start(session_id, ONE)

    assert store.session_jobs.claim(session_id, "another") is None


def test_a_session_without_its_context_stays_at_its_worker(store: Store, running: str) -> None:
    assert store.session_moves.lose_context(running, ONE, crashed=False)
    assert where(store, running) == (SessionState.RESTORING, ONE, 1)


def test_a_restored_session_is_of_the_next_generation(store: Store, running: str) -> None:
    store.session_moves.lose_context(running, ONE, crashed=False)
    assert store.session_moves.restored(running, ONE)
    assert where(store, running) == (SessionState.RUNNING, ONE, 2)


def test_crashes_are_counted_in_a_row(store: Store, running: str) -> None:
    for count in (1, 2):
        moved = store.session_moves.lose_context(running, ONE, crashed=True)
        assert moved is not None
        assert moved.crashes == count
    store.sessions.renew(running, crashes=0)
    moved = store.session_moves.lose_context(running, ONE, crashed=True)
    assert moved is not None
    assert moved.crashes == 1


def test_the_loss_of_a_context_that_was_not_in_use_is_no_crash_of_its_session(store: Store, running: str) -> None:
    moved = store.session_moves.lose_context(running, ONE, crashed=False)
    assert moved is not None
    assert moved.crashes == 0


def test_a_session_that_is_given_up_is_held_by_nobody(store: Store, given_up: str) -> None:
    assert where(store, given_up) == (SessionState.RESTORING, None, 1)


def test_the_lock_of_a_runner_ends_with_its_worker_s_hold(store: Store, running: str) -> None:
    store.session_jobs.claim(running, "runner of one")
    store.session_moves.give_up(running, ONE)

    assert store.session_jobs.claim(running, "runner of two") is not None


def test_only_one_worker_binds_a_session(store: Store, given_up: str) -> None:
    assert store.session_moves.bind(given_up, TWO)
    assert not store.session_moves.bind(given_up, ONE)
    assert where(store, given_up) == (SessionState.RESTORING, TWO, 1)


def test_a_drained_session_can_be_given_up_and_bound(store: Store, running: str) -> None:
    assert store.session_moves.drain(running, ONE)
    assert where(store, running) == (SessionState.DRAINING, ONE, 1)
    assert store.session_moves.give_up(running, ONE)
    assert store.session_moves.bind(running, TWO)


def test_a_session_that_is_being_drained_is_not_restored_where_it_was(store: Store, running: str) -> None:
    store.session_moves.drain(running, ONE)
    assert not store.session_moves.restored(running, ONE)


@pytest.mark.parametrize("move", ["lose_context", "give_up", "restored", "drain"])
def test_a_worker_does_not_move_what_another_one_holds(store: Store, running: str, move: str) -> None:
    assert not moves_of(store, TWO)[move](running)
    assert where(store, running) == (SessionState.RUNNING, ONE, 1)


@pytest.mark.parametrize("move", ["start", "lose_context", "give_up", "bind", "restored", "drain"])
def test_nobody_moves_a_session_that_has_ended(store: Store, running: str, move: str) -> None:
    store.sessions.end(running, EndReason.DELETED)
    assert not moves_of(store, ONE)[move](running)
    assert not store.client.exists(keys.session(running))


def moves_of(store: Store, worker: str) -> dict[str, Callable[[str], object]]:
    moves = store.session_moves
    return {
        "start": lambda session_id: moves.start(session_id, worker),
        "lose_context": lambda session_id: moves.lose_context(session_id, worker, crashed=False),
        "give_up": lambda session_id: moves.give_up(session_id, worker),
        "bind": lambda session_id: moves.bind(session_id, worker),
        "restored": lambda session_id: moves.restored(session_id, worker),
        "drain": lambda session_id: moves.drain(session_id, worker),
    }


def test_the_store_knows_who_holds_which_session(store: Store, running: str) -> None:
    pending, ended = create(store), create(store)
    store.sessions.end(ended, EndReason.DELETED)

    assert store.sessions.workers_of([running, pending, ended]) == {running: ONE, pending: None}
