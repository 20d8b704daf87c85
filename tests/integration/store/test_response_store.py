from collections.abc import Iterator

import pytest

from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store, open_store
from fleet.store.responses import ResponseWithBody
from tests.factories import a_response
from tests.polling import eventually

_BODY = b"\xff\x00" * 25_000
_COUNT, _LIMIT = 150, 100


@pytest.fixture
def session_id(store: Store) -> str:
    """Of a new session."""
    return create(store)


@pytest.fixture
def tight_store(settings: Settings) -> Iterator[Store]:
    """Keeps two responses of each session."""
    opened = open_store(settings.model_copy(update={"response_limit": 2}), retries=0)
    yield opened
    opened.client.close()


def create(store: Store) -> str:
    session_id = new_id("ses")
    store.sessions.create(session_id, ttl=600, max_lifetime=3600, metadata={}, options_json="{}", job_id=new_id("job"))
    return session_id


def kept(store: Store, session_id: str) -> list[str]:
    """Ids, newest first."""
    return [one.id for one in store.responses.newest(session_id, lambda _: True, limit=200, cursor=None).entries]


def ids(*captured: ResponseWithBody) -> list[str]:
    return [one.response.id for one in captured]


def all_keys(store: Store) -> list[str]:
    return [str(key) for key in store.client.scan_iter("*")]


def response_keys(store: Store) -> list[str]:
    return [key for key in all_keys(store) if ":responses" in key]


def data_bytes(store: Store) -> int:
    return sum(int(store.client.memory_usage(key) or 0) for key in all_keys(store))


def add_many(store: Store, session_id: str, *, lives_seconds: float = 300) -> list[ResponseWithBody]:
    """More than are kept, in batches, oldest first."""
    captured = [a_response(_BODY, lives_seconds=lives_seconds) for _ in range(_COUNT)]
    for first in range(0, _COUNT, 10):
        store.responses.add(session_id, captured[first : first + 10])
    return captured


def test_a_response_comes_back_as_it_was_captured(store: Store, session_id: str) -> None:
    captured = a_response(_BODY)
    store.responses.add(session_id, [captured])

    assert store.responses.get(session_id, captured.response.id) == captured.response
    assert store.responses.body(session_id, captured.response.id) == _BODY


def test_a_response_without_a_body_has_none(store: Store, session_id: str) -> None:
    captured = a_response(b"")
    store.responses.add(session_id, [captured])

    assert store.responses.body(session_id, captured.response.id) is None


def test_responses_are_listed_newest_first(store: Store, session_id: str) -> None:
    one, two, three = (a_response() for _ in range(3))
    store.responses.add(session_id, [one, two])
    store.responses.add(session_id, [three])

    assert kept(store, session_id) == ids(three, two, one)


def test_of_150_responses_the_newest_100_are_kept(store: Store, session_id: str) -> None:
    captured = add_many(store, session_id)

    assert kept(store, session_id) == ids(*captured[-_LIMIT:])[::-1]


def test_what_has_fallen_out_leaves_no_key(store: Store, session_id: str) -> None:
    add_many(store, session_id)

    # A record and a body of each, and the index.
    assert len(response_keys(store)) == 2 * _LIMIT + 1


def test_the_limit_holds_within_one_step(tight_store: Store, session_id: str) -> None:
    captured = [a_response() for _ in range(5)]
    tight_store.responses.add(session_id, captured)

    assert kept(tight_store, session_id) == ids(*captured[-2:])[::-1]
    assert len(response_keys(tight_store)) == 5


def test_after_their_time_redis_holds_what_it_held_before(store: Store, session_id: str) -> None:
    keys_before, bytes_before = set(all_keys(store)), data_bytes(store)
    add_many(store, session_id, lives_seconds=3)
    assert data_bytes(store) > bytes_before + _LIMIT * len(_BODY)
    eventually(lambda: set(all_keys(store)) == keys_before)

    assert data_bytes(store) == bytes_before


def test_an_older_response_goes_before_a_newer_one(store: Store, session_id: str) -> None:
    older, newer = a_response(lives_seconds=0.3), a_response()
    store.responses.add(session_id, [older, newer])
    eventually(lambda: kept(store, session_id) == ids(newer))

    assert store.responses.get(session_id, older.response.id) is None


def test_the_session_counts_those_that_have_not_expired(store: Store, session_id: str) -> None:
    store.responses.add(session_id, [a_response(lives_seconds=0.3), a_response(), a_response()])

    eventually(lambda: count(store, session_id) == 2)


def count(store: Store, session_id: str) -> int:
    session = store.sessions.get(session_id)
    assert session is not None
    return session.responses


def test_responses_do_not_renew_their_session(store: Store, session_id: str) -> None:
    (key,) = store.client.keys(f"*{{{session_id}}}")
    store.client.expire(key, 5)
    store.responses.add(session_id, [a_response()])

    assert store.client.ttl(key) <= 5


@pytest.mark.parametrize("reason", [EndReason.DELETED, EndReason.CRASHED])
def test_the_end_of_a_session_takes_its_responses_along(store: Store, session_id: str, reason: EndReason) -> None:
    store.responses.add(session_id, [a_response(), a_response(b"")])
    store.sessions.end(session_id, reason)

    assert response_keys(store) == []


def test_the_end_of_a_session_leaves_those_of_others(store: Store, session_id: str) -> None:
    other = create(store)
    store.responses.add(other, [a_response()])
    store.sessions.end(session_id, EndReason.DELETED)

    assert len(kept(store, other)) == 1


def test_an_ended_session_takes_no_responses(store: Store, session_id: str) -> None:
    store.sessions.end(session_id, EndReason.DELETED)

    assert not store.responses.add(session_id, [a_response()])
    assert response_keys(store) == []


def test_clearing_leaves_no_key_and_says_how_many_there_were(store: Store, session_id: str) -> None:
    store.responses.add(session_id, [a_response() for _ in range(3)])

    assert store.responses.clear(session_id) == 3
    assert response_keys(store) == []


def test_clearing_nothing_is_clearing(store: Store, session_id: str) -> None:
    assert store.responses.clear(session_id) == 0


def test_a_page_has_as_many_of_those_that_are_wanted_as_it_may(store: Store, session_id: str) -> None:
    captured = [a_response(status=status) for status in (404, 200, 404, 200, 404, 200)]
    store.responses.add(session_id, captured)

    def pages() -> Iterator[list[str]]:
        cursor = None
        while True:
            page = store.responses.newest(session_id, lambda one: one.response.status == 404, limit=2, cursor=cursor)
            yield [one.id for one in page.entries]
            cursor = page.next_cursor
            if cursor is None:
                return

    assert list(pages()) == [ids(captured[4], captured[2]), ids(captured[0])]


def test_using_a_session_begins_its_idle_time_anew(store: Store, session_id: str) -> None:
    (key,) = store.client.keys(f"*{{{session_id}}}")
    store.client.expire(key, 5)

    assert store.sessions.use(session_id)
    assert store.client.ttl(key) > 590


def test_using_a_session_does_not_shorten_the_hold_of_a_job(store: Store, session_id: str) -> None:
    store.session_moves.start(session_id, "fleet@test")
    store.sessions.use(session_id, ttl=5)
    (key,) = store.client.keys(f"*{{{session_id}}}")

    assert store.client.ttl(key) > 350


def test_a_shorter_ttl_counts_at_once_when_no_job_runs(store: Store, session_id: str) -> None:
    store.session_moves.start(session_id, "fleet@test")
    store.session_jobs.release(session_id, "runner", store.session_jobs.claim(session_id, "runner") or "")
    store.sessions.use(session_id, ttl=5)
    (key,) = store.client.keys(f"*{{{session_id}}}")

    assert store.client.ttl(key) <= 5


def test_an_ended_session_cannot_be_used(store: Store, session_id: str) -> None:
    store.sessions.end(session_id, EndReason.DELETED)

    assert not store.sessions.use(session_id)
