from fleet import keys
from fleet.clock import utc_now
from fleet.store import Store


def test_one_worker_at_a_time_sweeps_artifacts(store: Store) -> None:
    assert store.artifacts.claim_sweep("one@here")
    assert not store.artifacts.claim_sweep("two@here")


def test_who_sweeps_goes_on_sweeping(store: Store) -> None:
    store.artifacts.claim_sweep("one@here")

    assert store.artifacts.claim_sweep("one@here")


def test_another_worker_sweeps_when_the_lease_of_the_first_has_run_out(store: Store) -> None:
    store.artifacts.claim_sweep("one@here")
    just_now = int(utc_now().timestamp() * 1000) - 1
    store.client.zadd(keys.ARTIFACT_SWEEPER, {"one@here": just_now})

    assert store.artifacts.claim_sweep("two@here")
    assert not store.artifacts.claim_sweep("one@here")
