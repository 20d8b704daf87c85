"""A worker may take a session if it has a slot and says that it has memory to spare."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet.clock import utc_now
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.factories import a_worker_report

WORKER = "fleet@one"


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """With one slot for each worker."""
    opened = open_store(settings.model_copy(update={"sessions_per_worker": 1}), retries=0)
    yield opened
    opened.client.close()


def claim(store: Store, session_id: str = "one", worker: str = WORKER) -> bool:
    return store.room.try_claim(worker, session_id, utc_now() + timedelta(hours=1))


def report(store: Store, *, admits_sessions: bool) -> None:
    store.workers.renew(a_worker_report(name=WORKER, admits_sessions=admits_sessions))


def test_a_worker_with_a_slot_and_memory_takes_a_session(store: Store) -> None:
    report(store, admits_sessions=True)
    assert store.room.is_there(WORKER)
    assert claim(store)


def test_a_worker_without_memory_to_spare_takes_none(store: Store) -> None:
    report(store, admits_sessions=False)
    assert not store.room.is_there(WORKER)
    assert not claim(store)


def test_a_claim_for_want_of_memory_takes_no_slot(store: Store) -> None:
    report(store, admits_sessions=False)
    claim(store)
    assert store.slots.holders(WORKER) == []


def test_a_worker_without_a_slot_takes_none(store: Store) -> None:
    report(store, admits_sessions=True)
    claim(store)
    assert not store.room.is_there(WORKER)
    assert not claim(store, "two")


def test_a_worker_that_has_memory_again_takes_sessions_again(store: Store) -> None:
    report(store, admits_sessions=False)
    report(store, admits_sessions=True)
    assert store.room.is_there(WORKER)


def test_a_worker_without_a_report_takes_sessions_by_its_slots_alone(store: Store) -> None:
    assert store.room.is_there(WORKER)
    assert claim(store)
    assert not store.room.is_there(WORKER)


def test_one_worker_s_memory_is_not_another_s(store: Store) -> None:
    report(store, admits_sessions=False)
    assert claim(store, worker="fleet@two")
