from datetime import timedelta

from fleet.clock import utc_now
from fleet.store import Store
from fleet.store.messages import Message
from workers.empty import empty

_NAME = "worker@pod"


def test_a_worker_is_asked_to_drain_and_without_work_it_is_empty(store: Store) -> None:
    assert empty(store, _NAME, within_seconds=0)
    assert store.workers.is_asked_to_drain(_NAME)


def test_a_worker_that_holds_a_session_is_not_empty(store: Store) -> None:
    store.slots.try_claim(_NAME, "ses_1", utc_now() + timedelta(hours=1))
    assert not empty(store, _NAME, within_seconds=0)
    store.slots.release(_NAME, "ses_1")
    assert empty(store, _NAME, within_seconds=0)


def test_a_worker_that_has_a_job_in_hand_is_not_empty(store: Store) -> None:
    store.messages.take(_NAME, Message("message", "captures", "fleet.run_capture", "job_1"))
    assert not empty(store, _NAME, within_seconds=0)
    store.messages.drop(_NAME, "message")
    assert empty(store, _NAME, within_seconds=0)
