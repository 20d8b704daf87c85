from fleet import keys
from fleet.ids import new_id
from fleet.models.session import SessionState
from fleet.store import Store
from fleet.store.session_counts import SessionCountStore


def a_session(store: Store) -> str:
    session_id, job_id = new_id("ses"), new_id("job")
    store.sessions.create(session_id, ttl=60, max_lifetime=60, metadata={}, options_json="{}", job_id=job_id)
    return session_id


def test_a_small_fleet_is_counted_each_time(store: Store) -> None:
    counts = SessionCountStore(store.client)
    assert counts.read().by_state == {}
    a_session(store)
    assert counts.read().by_state == {SessionState.PENDING: 1}
    assert not store.client.exists(keys.SESSION_COUNTS)


def test_a_large_fleet_is_counted_once_for_all_who_ask(store: Store) -> None:
    sessions = [a_session(store) for _ in range(3)]
    counts = SessionCountStore(store.client, each_time_max=2)
    store.sessions.add_job(sessions[0], "job_behind")
    first = counts.read()
    assert (first.by_state, first.jobs_waiting) == ({SessionState.PENDING: 3}, 1)
    a_session(store)
    assert SessionCountStore(store.client, each_time_max=2).read() == first


def test_the_count_of_a_large_fleet_does_not_stay(store: Store) -> None:
    for _ in range(3):
        a_session(store)
    SessionCountStore(store.client, each_time_max=2).read()
    assert 0 < store.client.ttl(keys.SESSION_COUNTS) <= keys.SESSION_COUNTS_SECONDS


def test_sessions_that_have_expired_count_no_more_in_a_large_fleet_either(store: Store) -> None:
    sessions = [a_session(store) for _ in range(4)]
    store.client.delete(keys.session(sessions[0]))
    assert SessionCountStore(store.client, each_time_max=2).read().by_state == {SessionState.PENDING: 3}
    assert store.client.zcard(keys.SESSION_INDEX) == 3
