import pytest

from fleet.store import Store


def test_a_queue_that_nobody_left_does_not_move(store: Store) -> None:
    assert store.throughput.per_second("captures") == 0


def test_throughput_is_that_of_a_minute(store: Store) -> None:
    for _ in range(30):
        store.throughput.count("captures")
    assert store.throughput.per_second("captures") == pytest.approx(0.5)


def test_queues_are_counted_apart(store: Store) -> None:
    store.throughput.count("sessions")
    assert store.throughput.per_second("captures") == 0
