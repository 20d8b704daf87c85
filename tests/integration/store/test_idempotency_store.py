from concurrent.futures import ThreadPoolExecutor

from fleet import keys
from fleet.store import Store
from fleet.store.idempotency import FirstAnswer


def test_the_first_claim_of_a_key_finds_nothing(store: Store) -> None:
    assert store.idempotency.claim("key", "request") is None


def test_the_second_claim_finds_the_first_request(store: Store) -> None:
    store.idempotency.claim("key", "request")

    assert store.idempotency.claim("key", "other") == FirstAnswer("request", None)


def test_a_claim_finds_the_first_answer(store: Store) -> None:
    store.idempotency.claim("key", "request")
    store.idempotency.keep("key", "request", {"job": {"id": "job_1"}})

    assert store.idempotency.claim("key", "request") == FirstAnswer("request", {"job": {"id": "job_1"}})


def test_a_forgotten_key_is_new(store: Store) -> None:
    store.idempotency.claim("key", "request")
    store.idempotency.forget("key")

    assert store.idempotency.claim("key", "request") is None


def test_of_many_who_claim_a_key_at_once_one_is_first(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: store.idempotency.claim("key", str(number)), range(40)))

    assert found.count(None) == 1


def test_a_claim_that_is_never_answered_frees_its_key_within_a_minute(store: Store) -> None:
    store.idempotency.claim("key", "request")

    assert 0 < store.client.ttl(keys.idempotency("key")) <= 60


def test_a_second_claim_does_not_prolong_the_first(store: Store) -> None:
    store.idempotency.claim("key", "request")
    store.client.expire(keys.idempotency("key"), 5)
    store.idempotency.claim("key", "request")

    assert 0 < store.client.ttl(keys.idempotency("key")) <= 5


def test_an_answer_is_kept_for_a_day(store: Store) -> None:
    store.idempotency.claim("key", "request")
    store.idempotency.keep("key", "request", {})

    assert 86_395 <= store.client.ttl(keys.idempotency("key")) <= 86_400
