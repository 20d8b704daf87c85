from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from fleet.clock import utc_now
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.integration.redis_server import RedisServer


@pytest.fixture
def tight_store(settings: Settings) -> Iterator[Store]:
    """With room for two in each queue."""
    opened = open_store(settings.model_copy(update={"queue_limit": 2}), retries=0)
    yield opened
    opened.client.close()


def join(store: Store, *job_ids: str) -> list[bool]:
    return [store.waiting.try_join("captures", job_id, utc_now()) for job_id in job_ids]


def positions(store: Store, *job_ids: str) -> list[int | None]:
    return [store.waiting.position("captures", job_id) for job_id in job_ids]


def test_positions_follow_the_order_of_arrival(store: Store) -> None:
    join(store, "job_b", "job_a", "job_c")

    assert positions(store, "job_b", "job_a", "job_c") == [1, 2, 3]


def test_who_arrived_earlier_stands_before_who_was_noted_earlier(store: Store) -> None:
    now = utc_now()
    store.waiting.try_join("captures", "later", now)
    store.waiting.try_join("captures", "earlier", now - timedelta(microseconds=1))

    assert positions(store, "earlier", "later") == [1, 2]


def test_who_does_not_wait_has_no_position(store: Store) -> None:
    assert positions(store, "job_a") == [None]


def test_who_leaves_moves_the_others_up(store: Store) -> None:
    join(store, "job_a", "job_b")
    store.waiting.leave("captures", "job_a")

    assert positions(store, "job_a", "job_b") == [None, 1]


def test_leaving_twice_is_leaving(store: Store) -> None:
    join(store, "job_a", "job_b")
    store.waiting.leave("captures", "job_a")
    store.waiting.leave("captures", "job_a")

    assert store.waiting.length("captures") == 1


def test_no_more_wait_than_the_limit_allows(tight_store: Store) -> None:
    assert join(tight_store, "job_a", "job_b", "job_c") == [True, True, False]
    assert tight_store.waiting.length("captures") == 2


def test_who_was_refused_does_not_wait(tight_store: Store) -> None:
    join(tight_store, "job_a", "job_b", "job_c")

    assert positions(tight_store, "job_c") == [None]


def test_who_leaves_makes_room(tight_store: Store) -> None:
    join(tight_store, "job_a", "job_b")
    tight_store.waiting.leave("captures", "job_a")

    assert join(tight_store, "job_c") == [True]


def test_the_limit_holds_when_many_arrive_at_once(tight_store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda number: join(tight_store, f"job_{number}")[0], range(40)))

    assert taken.count(True) == 2


def test_each_queue_has_its_own_room(tight_store: Store) -> None:
    join(tight_store, "job_a", "job_b")

    assert tight_store.waiting.try_join("sessions", "job_c", utc_now())


def test_trying_to_leave_a_store_that_is_down_is_no_error(own_redis: RedisServer, settings: Settings) -> None:
    down = open_store(settings.model_copy(update={"redis_url": own_redis.url}), retries=0)
    join(down, "job_a")
    own_redis.stop()

    down.waiting.try_leave("captures", "job_a")
    own_redis.start()
    assert positions(down, "job_a") == [1]
    down.client.close()


def test_a_place_whose_job_has_long_expired_takes_no_room(tight_store: Store, settings: Settings) -> None:
    long_ago = utc_now() - timedelta(seconds=settings.job_ttl + 1)
    tight_store.waiting.try_join("captures", "job_a", long_ago)
    tight_store.waiting.try_join("captures", "job_b", long_ago)

    assert join(tight_store, "job_c") == [True]
