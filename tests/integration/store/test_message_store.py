"""The messages that a worker has in hand."""

from fleet.store import Store
from fleet.store.messages import Message

ONE, TWO = "fleet@one", "fleet@two"


def a_message(message_id: str = "id-1") -> Message:
    return Message(message_id, "captures", "fleet.run_capture", "job_1")


def test_a_message_that_was_taken_is_in_hand(store: Store) -> None:
    store.messages.take(ONE, a_message())
    assert store.messages.in_hand(ONE) == [a_message()]


def test_a_message_that_was_dropped_is_not(store: Store) -> None:
    store.messages.take(ONE, a_message())
    store.messages.take(ONE, a_message("id-2"))
    store.messages.drop(ONE, "id-1")
    assert store.messages.in_hand(ONE) == [a_message("id-2")]


def test_each_worker_has_its_own(store: Store) -> None:
    store.messages.take(ONE, a_message())
    assert store.messages.in_hand(TWO) == []


def test_what_a_worker_has_taken_since_it_is_back_stays_when_its_estate_is_settled(store: Store) -> None:
    store.messages.take(ONE, a_message())
    store.workers.settle_estate(ONE)
    assert store.messages.in_hand(ONE) == [a_message()]
