from collections.abc import Callable
from typing import Any

import pytest

from fleet import keys
from fleet.ids import new_id
from fleet.models.session import EndReason, SessionState
from fleet.store import Store
from tests.polling import eventually


def create(store: Store, **changes: Any) -> str:
    """The id of a new session."""
    session_id = new_id("ses")
    defaults = {"ttl": 600, "max_lifetime": 86_400, "metadata": {}, "options_json": "{}", "job_id": new_id("job")}
    store.sessions.create(session_id, **{**defaults, **changes})
    return session_id


def create_running(store: Store, **changes: Any) -> str:
    """The id of a new session whose idle time has begun to run."""
    session_id = create(store, **changes)
    creation = store.session_jobs.claim(session_id, "runner") or ""
    assert store.session_moves.start(session_id, "fleet@test")
    store.sessions.renew(session_id)
    store.session_jobs.release(session_id, "runner", creation)
    return session_id


def ttl(store: Store, session_id: str) -> int:
    session = store.sessions.get(session_id)
    assert session is not None
    return session.ttl


def shorten(store: Store, session_id: str, seconds: int) -> None:
    """As if the session had not been used for a while."""
    (key,) = store.client.keys(f"*{{{session_id}}}")
    assert store.client.expire(key, seconds)


def test_a_new_session_is_pending_in_its_first_generation(store: Store) -> None:
    session = store.sessions.get(create(store, metadata={"order": "17"}))

    assert session is not None
    assert (session.state, session.worker, session.generation) == (SessionState.PENDING, None, 1)
    assert session.metadata == {"order": "17"}


def test_a_session_that_was_never_created_is_none(store: Store) -> None:
    assert store.sessions.get(new_id("ses")) is None


def test_a_new_session_has_its_creation_as_its_first_job(store: Store) -> None:
    session_id = create(store, job_id="job_1")

    assert store.session_jobs.position(session_id, "job_1") == 1


def test_options_come_back_as_they_were_kept(store: Store) -> None:
    assert store.sessions.options(create(store, options_json='{"locale":"de-DE"}')) == '{"locale":"de-DE"}'


def test_a_session_that_is_not_used_ends_with_its_ttl(store: Store) -> None:
    session_id = create_running(store, ttl=1)
    assert store.sessions.get(session_id) is not None

    eventually(lambda: store.sessions.get(session_id) is None)


def test_a_session_that_waits_to_be_created_is_not_idle(store: Store) -> None:
    session_id = create(store, ttl=1, max_lifetime=600)
    assert ttl(store, session_id) == 1
    assert store.client.ttl(keys.session(session_id)) > 500


def test_a_use_does_not_shorten_the_life_of_a_session_that_waits_to_be_created(store: Store) -> None:
    session_id = create(store, ttl=1, max_lifetime=600)
    store.sessions.renew(session_id, ttl=2)
    assert store.client.ttl(keys.session(session_id)) > 500


def test_the_end_of_an_unused_session_is_remembered_as_idle(store: Store) -> None:
    session_id = create_running(store, ttl=1)
    eventually(lambda: store.sessions.get(session_id) is None)
    ending = store.sessions.ending(session_id)

    assert ending is not None
    assert ending.end_reason is EndReason.IDLE


def test_the_end_of_a_session_at_its_max_lifetime_is_remembered_as_such(store: Store) -> None:
    session_id = create(store, ttl=600, max_lifetime=1)
    eventually(lambda: store.sessions.get(session_id) is None)
    ending = store.sessions.ending(session_id)

    assert ending is not None
    assert ending.end_reason is EndReason.MAX_LIFETIME


def test_every_use_begins_the_idle_time_anew(store: Store) -> None:
    session_id = create(store, ttl=600)
    shorten(store, session_id, 5)
    store.sessions.renew(session_id)

    assert ttl(store, session_id) > 590


def test_accepting_a_job_is_a_use(store: Store) -> None:
    session_id = create(store, ttl=600)
    shorten(store, session_id, 5)
    store.sessions.add_job(session_id, "job_2")

    assert ttl(store, session_id) > 590


def test_reading_is_no_use(store: Store) -> None:
    session_id = create(store, ttl=600)
    shorten(store, session_id, 5)
    store.sessions.get(session_id)
    store.sessions.options(session_id)
    store.sessions.newest(limit=10, cursor=None)

    assert ttl(store, session_id) <= 5


def test_no_use_carries_a_session_beyond_its_max_lifetime(store: Store) -> None:
    session_id = create(store, ttl=600, max_lifetime=60)
    store.sessions.renew(session_id)
    store.sessions.hold(session_id)

    assert ttl(store, session_id) <= 60


def test_a_job_that_starts_holds_the_session_for_as_long_as_it_may_take(store: Store) -> None:
    session_id = create_running(store, ttl=1)
    store.sessions.add_job(session_id, "job_2")
    store.sessions.hold(session_id)

    assert ttl(store, session_id) > 350


def test_a_session_is_not_idle_while_a_job_waits(store: Store) -> None:
    session_id = create_running(store, ttl=1)
    store.sessions.add_job(session_id, "job_2")

    assert ttl(store, session_id) > 350


def test_each_job_that_waits_keeps_the_session_for_as_long_as_it_may_take(store: Store) -> None:
    session_id = create_running(store, ttl=1)
    for number in range(3):
        store.sessions.add_job(session_id, f"job_{number}")

    assert 3 * 350 < ttl(store, session_id) <= 3 * 360


def test_the_end_of_a_job_leaves_the_session_held_for_those_behind_it(store: Store) -> None:
    session_id = create_running(store, ttl=1)
    store.sessions.add_job(session_id, "job_2")
    store.sessions.add_job(session_id, "job_3")
    store.sessions.renew(session_id)

    assert 350 < ttl(store, session_id) <= 360


def test_the_end_of_the_last_job_gives_the_session_its_own_ttl_back(store: Store) -> None:
    session_id = create_running(store, ttl=60)
    store.sessions.add_job(session_id, "job_2")
    store.sessions.renew(session_id)

    assert ttl(store, session_id) <= 60


def test_a_use_may_change_the_record(store: Store) -> None:
    session_id = create(store)
    store.sessions.renew(session_id, url="http://a.example/", title="A page")
    session = store.sessions.get(session_id)

    assert session is not None
    assert (session.url, session.title) == ("http://a.example/", "A page")


def test_a_use_leaves_alone_what_it_does_not_name(store: Store) -> None:
    session_id = create(store, metadata={"order": "17"})
    store.sessions.renew(session_id, url="http://a.example/")
    store.sessions.renew(session_id, title=None)
    session = store.sessions.get(session_id)

    assert session is not None
    assert (session.url, session.metadata) == ("http://a.example/", {"order": "17"})


def test_adding_a_job_says_who_holds_the_session(store: Store) -> None:
    session_id = create(store)
    assert store.sessions.add_job(session_id, "job_2") == (SessionState.PENDING, None)
    store.session_moves.start(session_id, "fleet@one")

    assert store.sessions.add_job(session_id, "job_3") == (SessionState.RUNNING, "fleet@one")


def test_a_session_that_was_ended_is_gone_with_its_options(store: Store) -> None:
    session_id = create(store)

    assert store.sessions.end(session_id, EndReason.DELETED)
    assert store.sessions.get(session_id) is None
    assert store.sessions.options(session_id) is None


def test_the_reason_of_an_end_is_remembered(store: Store) -> None:
    session_id = create(store)
    store.sessions.end(session_id, EndReason.CRASHED)
    ending = store.sessions.ending(session_id)

    assert ending is not None
    assert (ending.session_id, ending.end_reason) == (session_id, EndReason.CRASHED)


def test_the_first_reason_of_an_end_stays(store: Store) -> None:
    session_id = create(store)
    store.sessions.end(session_id, EndReason.CRASHED)

    assert not store.sessions.end(session_id, EndReason.DELETED)
    ending = store.sessions.ending(session_id)
    assert ending is not None
    assert ending.end_reason is EndReason.CRASHED


def test_nothing_is_remembered_of_a_session_that_never_was(store: Store) -> None:
    assert store.sessions.ending(new_id("ses")) is None


@pytest.mark.parametrize("use", ["add_job", "hold", "renew"])
def test_an_ended_session_cannot_be_used(store: Store, use: str) -> None:
    session_id = create(store)
    store.sessions.end(session_id, EndReason.DELETED)
    uses: dict[str, Callable[[], object]] = {
        "add_job": lambda: store.sessions.add_job(session_id, "job_2"),
        "hold": lambda: store.sessions.hold(session_id),
        "renew": lambda: store.sessions.renew(session_id, title="back"),
    }

    assert not uses[use]()
    assert store.sessions.get(session_id) is None


def test_a_job_that_an_ended_session_did_not_take_is_not_on_its_list(store: Store) -> None:
    session_id = create(store)
    store.sessions.end(session_id, EndReason.DELETED)
    store.sessions.add_job(session_id, "job_2")

    assert store.session_jobs.position(session_id, "job_2") is None


def test_only_sessions_that_live_have_time_left(store: Store) -> None:
    living, ended = create(store), create(store)
    store.sessions.end(ended, EndReason.DELETED)

    assert list(store.sessions.remaining([living, ended, new_id("ses")])) == [living]


def test_of_no_sessions_none_has_time_left(store: Store) -> None:
    assert store.sessions.remaining([]) == {}


def test_sessions_of_the_same_millisecond_are_all_on_some_page(store: Store) -> None:
    created = {create(store) for _ in range(3)}
    store.client.zadd("fleet:sessions", dict.fromkeys(created, 1_000_000))
    first = store.sessions.newest(limit=2, cursor=None)
    second = store.sessions.newest(limit=2, cursor=first.next_cursor)

    assert {session.id for session in first.entries + second.entries} == created


def test_the_index_does_not_keep_sessions_that_ended_long_ago(store: Store) -> None:
    store.client.zadd("fleet:sessions", {"ses_of_long_ago": 0})
    create(store)

    assert store.client.zscore("fleet:sessions", "ses_of_long_ago") is None


def test_the_memory_of_a_session_is_noted(store: Store) -> None:
    session_id = create_running(store)
    assert store.sessions.note_memory(session_id, 5_000_000)

    session = store.sessions.get(session_id)
    assert session is not None
    assert session.memory_bytes == 5_000_000


def test_a_session_that_was_not_measured_yet_tells_no_memory(store: Store) -> None:
    session = store.sessions.get(create_running(store))

    assert session is not None
    assert session.memory_bytes is None


def test_noting_its_memory_does_not_renew_a_session(store: Store) -> None:
    session_id = create_running(store)
    shorten(store, session_id, 5)
    before = store.sessions.get(session_id)
    store.sessions.note_memory(session_id, 1)
    after = store.sessions.get(session_id)

    assert before is not None
    assert after is not None
    assert (after.ttl, after.last_used_at) == (before.ttl, before.last_used_at)


def test_the_memory_of_a_session_that_has_ended_is_not_noted(store: Store) -> None:
    session_id = create_running(store)
    store.sessions.end(session_id, EndReason.DELETED)

    assert not store.sessions.note_memory(session_id, 1)
    assert store.client.exists(keys.session(session_id)) == 0
