from datetime import timedelta

from fleet import keys
from fleet.clock import utc_now
from fleet.store import Store
from tests.factories import a_worker_report


def names(store: Store) -> set[str]:
    return {report.name for report in store.workers.alive()}


def test_a_fleet_without_workers_has_none(store: Store) -> None:
    assert store.workers.alive() == []


def test_a_report_comes_back_as_it_was_given(store: Store) -> None:
    report = a_worker_report(sessions=3)
    store.workers.renew(report)

    assert store.workers.alive() == [report]


def test_every_worker_has_its_own_lease(store: Store) -> None:
    for name in ("fleet@one", "fleet@two"):
        store.workers.renew(a_worker_report(name=name))

    assert names(store) == {"fleet@one", "fleet@two"}


def test_the_last_report_of_a_worker_counts(store: Store) -> None:
    store.workers.renew(a_worker_report(sessions=1))
    store.workers.renew(a_worker_report(sessions=2))

    assert [report.sessions for report in store.workers.alive()] == [2]


def test_a_worker_that_left_is_gone(store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@one"))
    store.workers.renew(a_worker_report(name="fleet@two"))
    store.workers.leave("fleet@one")

    assert names(store) == {"fleet@two"}


def test_a_worker_that_leaves_twice_has_left(store: Store) -> None:
    store.workers.leave("fleet@one")

    assert names(store) == set()


def test_a_lease_runs_out_within_15_seconds(store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@one"))

    assert 0 < store.client.ttl(keys.worker("fleet@one")) <= 15


def test_a_worker_whose_lease_has_run_out_is_gone(store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@one"))
    store.client.delete(keys.worker("fleet@one"))

    assert names(store) == set()


def test_a_renewal_renews_the_lease(store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@one"))
    store.client.expire(keys.worker("fleet@one"), 1)
    store.workers.renew(a_worker_report(name="fleet@one"))

    assert store.client.ttl(keys.worker("fleet@one")) > 10


def test_a_worker_whose_lease_has_run_out_is_lost(store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@one", reported_at=utc_now() - timedelta(minutes=1)))
    store.workers.renew(a_worker_report(name="fleet@two"))

    assert store.workers.lost() == ["fleet@one"]


def test_a_worker_that_has_left_is_lost_until_its_estate_is_settled(store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@one"))
    store.workers.leave("fleet@one")
    assert store.workers.lost() == ["fleet@one"]

    store.workers.settle_estate("fleet@one")
    assert store.workers.lost() == []


def test_one_worker_hands_over_the_estate_of_a_lost_one(store: Store) -> None:
    assert store.workers.claim_estate("fleet@lost")
    assert not store.workers.claim_estate("fleet@lost")


def test_an_estate_that_was_settled_can_be_claimed_again(store: Store) -> None:
    store.workers.claim_estate("fleet@lost")
    store.workers.settle_estate("fleet@lost")

    assert store.workers.claim_estate("fleet@lost")


def test_a_renewal_tells_whether_the_lease_was_still_held(store: Store) -> None:
    assert not store.workers.renew(a_worker_report())
    assert store.workers.renew(a_worker_report())


def test_a_worker_that_is_asked_to_drain_is_asked_until_it_starts_anew(store: Store) -> None:
    store.workers.ask_to_drain("fleet@one")
    assert store.workers.is_asked_to_drain("fleet@one")

    store.workers.begin_anew("fleet@one")
    assert not store.workers.is_asked_to_drain("fleet@one")


def test_a_worker_that_starts_anew_has_no_lease_of_its_last_life(store: Store) -> None:
    store.workers.renew(a_worker_report(name="fleet@one"))
    store.workers.begin_anew("fleet@one")
    assert store.workers.report("fleet@one") is None
