from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet import keys
from fleet.errors import ScriptLimitReached
from fleet.ids import new_id
from fleet.models.script import Script
from fleet.models.session import EndReason
from fleet.store import Store
from tests.factories import a_script
from tests.integration.store.test_session_store import create, shorten, ttl

_LIMIT = 50


def outcome(store: Store, session_id: str) -> str:
    try:
        return "added" if store.scripts.add(session_id, a_script()) else "ended"
    except ScriptLimitReached:
        return "refused"


def lives(store: Store, session_id: str) -> tuple[int, int]:
    """The TTL of the session and that of its scripts, in ms."""
    return store.client.pttl(keys.session(session_id)), store.client.pttl(keys.session_scripts(session_id))


def test_scripts_come_back_as_they_were_added_in_their_order(store: Store) -> None:
    session_id, added = create(store), [a_script(f"'{number} 日本'") for number in range(5)]
    for script in added:
        assert store.scripts.add(session_id, script)

    assert store.scripts.all(session_id) == added


def test_the_worker_reads_the_sources_in_the_order_of_their_addition(store: Store) -> None:
    session_id, added = create(store), [a_script(f"'{number}'") for number in range(5)]
    for script in added:
        store.scripts.add(session_id, script)

    assert list(store.scripts.sources(session_id).items()) == [(script.id, script.source) for script in added]


def test_scripts_of_the_creation_come_before_those_added_later(store: Store) -> None:
    first, second, later = (a_script(name) for name in "abc")
    session_id = create(store, scripts=[first, second])
    store.scripts.add(session_id, later)

    assert store.scripts.all(session_id) == [first, second, later]


def test_scripts_belong_to_one_session(store: Store) -> None:
    one, other = create(store, scripts=[a_script()]), create(store)

    assert (len(store.scripts.sources(one)), store.scripts.sources(other)) == (1, {})


def test_no_session_gets_more_scripts_than_the_limit_also_when_they_come_at_once(store: Store) -> None:
    session_id = create(store)
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: outcome(store, session_id), range(_LIMIT + 10)))

    assert (outcomes.count("added"), outcomes.count("refused")) == (_LIMIT, 10)
    assert len(store.scripts.sources(session_id)) == _LIMIT


def test_a_script_is_removed_by_one_alone(store: Store) -> None:
    script = a_script()
    session_id = create(store, scripts=[script, a_script()])
    with ThreadPoolExecutor(8) as threads:
        removed = list(threads.map(lambda _: store.scripts.remove(session_id, script.id), range(8)))

    assert [found for found in removed if found] == [script]
    assert len(store.scripts.sources(session_id)) == 1


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "never was"])
def test_without_a_session_nothing_is_added_found_or_removed(store: Store, ended: bool) -> None:
    script = a_script()
    session_id = create(store, scripts=[script]) if ended else new_id("ses")
    store.sessions.end(session_id, EndReason.DELETED)

    assert not store.scripts.add(session_id, a_script())
    assert store.scripts.all(session_id) is None
    assert store.scripts.remove(session_id, script.id) is None
    assert store.scripts.sources(session_id) == {}


def test_scripts_vanish_with_the_session_that_is_ended(store: Store) -> None:
    session_id = create(store, scripts=[a_script()])
    store.sessions.end(session_id, EndReason.DELETED)

    assert not store.client.exists(keys.session_scripts(session_id))


@pytest.mark.parametrize("created_with", [[], [a_script()]], ids=["added", "of the creation"])
def test_scripts_live_as_long_as_their_session(store: Store, created_with: list[Script]) -> None:
    session_id = create(store, ttl=600, scripts=created_with)
    store.session_moves.start(session_id, "fleet@test")
    store.session_jobs.release(session_id, "runner", store.session_jobs.claim(session_id, "runner") or "")
    store.sessions.renew(session_id)
    if not created_with:
        store.scripts.add(session_id, a_script())
    session_ms, scripts_ms = lives(store, session_id)

    assert 590_000 < scripts_ms <= 600_000
    assert abs(session_ms - scripts_ms) < 1000


def test_a_job_that_holds_its_session_holds_its_scripts(store: Store) -> None:
    session_id = create(store, ttl=1, scripts=[a_script()])
    store.sessions.hold(session_id)

    assert all(life > 350_000 for life in lives(store, session_id))


@pytest.mark.parametrize("use", ["add", "all", "remove"])
def test_what_a_client_does_with_scripts_begins_the_idle_time_anew(store: Store, use: str) -> None:
    script = a_script()
    session_id = create(store, ttl=600, scripts=[script])
    shorten(store, session_id, 5)
    uses: dict[str, Callable[[], object]] = {
        "add": lambda: store.scripts.add(session_id, a_script()),
        "all": lambda: store.scripts.all(session_id),
        "remove": lambda: store.scripts.remove(session_id, script.id),
    }

    assert uses[use]()
    assert ttl(store, session_id) > 590


def test_what_a_worker_reads_is_no_use(store: Store) -> None:
    session_id = create(store, ttl=600, scripts=[a_script()])
    shorten(store, session_id, 5)
    store.scripts.sources(session_id)

    assert ttl(store, session_id) <= 5


def test_a_script_that_is_added_while_a_job_runs_leaves_the_session_held(store: Store) -> None:
    session_id = create(store, ttl=1)
    store.sessions.hold(session_id)
    store.scripts.add(session_id, a_script())

    assert all(life > 350_000 for life in lives(store, session_id))
