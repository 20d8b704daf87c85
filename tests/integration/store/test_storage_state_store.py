from fleet import keys
from fleet.store import Store


def test_a_state_is_what_was_handed_over(store: Store) -> None:
    store.storage_states.hand_over("job_a", '{"cookies": []}')

    assert store.storage_states.take("job_a") == '{"cookies": []}'


def test_a_state_can_be_read_once(store: Store) -> None:
    store.storage_states.hand_over("job_a", "{}")
    store.storage_states.take("job_a")

    assert store.storage_states.take("job_a") is None
    assert not store.client.exists(keys.job_storage_state("job_a"))


def test_a_state_that_nobody_reads_is_gone_within_a_minute(store: Store) -> None:
    store.storage_states.hand_over("job_a", "{}")

    assert 0 < store.client.ttl(keys.job_storage_state("job_a")) <= 60


def test_the_state_of_another_job_is_not_read(store: Store) -> None:
    store.storage_states.hand_over("job_a", "{}")

    assert store.storage_states.take("job_b") is None
