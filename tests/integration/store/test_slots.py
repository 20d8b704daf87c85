"""Room on a worker: counted from leases, never lost, never given twice."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fleet.clock import utc_now
from fleet.settings import Settings
from fleet.store import open_store
from fleet.store.slots import SlotStore
from tests.polling import eventually

WORKER = "fleet@one"
LATER = timedelta(hours=1)


@pytest.fixture
def slots(settings: Settings) -> Iterator[SlotStore]:
    """Two for each worker."""
    store = open_store(settings.model_copy(update={"sessions_per_worker": 2}), retries=0)
    yield store.slots
    store.client.close()


def claim(slots: SlotStore, session_id: str, worker: str = WORKER, lasting: timedelta = LATER) -> bool:
    return slots.try_claim(worker, session_id, utc_now() + lasting)


def test_no_more_slots_are_given_than_there_are(slots: SlotStore) -> None:
    assert [claim(slots, session_id) for session_id in ("one", "two", "three")] == [True, True, False]


def test_who_has_a_slot_may_claim_it_again(slots: SlotStore) -> None:
    assert [claim(slots, session_id) for session_id in ("one", "two", "one")] == [True, True, True]
    assert sorted(slots.holders(WORKER)) == ["one", "two"]


def test_a_released_slot_is_free_again(slots: SlotStore) -> None:
    claim(slots, "one")
    claim(slots, "two")
    slots.release(WORKER, "one")
    assert slots.has_room(WORKER)
    assert claim(slots, "three")


def test_a_slot_ends_by_itself(slots: SlotStore) -> None:
    claim(slots, "short", lasting=timedelta(seconds=0.3))
    claim(slots, "long")
    assert not slots.has_room(WORKER)
    eventually(lambda: slots.has_room(WORKER), seconds=5)
    assert claim(slots, "three")


def test_the_slots_of_one_worker_are_not_those_of_another(slots: SlotStore) -> None:
    claim(slots, "one")
    claim(slots, "two")
    assert claim(slots, "three", worker="fleet@two")
