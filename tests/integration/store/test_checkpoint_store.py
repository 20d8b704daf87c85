"""A session's newest checkpoint lives as long as the session, and is written by the worker that holds it."""

from typing import Any

import pytest

from fleet import keys
from fleet.clock import utc_now
from fleet.models.checkpoint import Checkpoint
from fleet.models.session import EndReason
from fleet.store import Store
from tests.integration.store.test_session_store import create_running

WORKER = "fleet@test"


@pytest.fixture
def session_id(store: Store) -> str:
    return create_running(store, ttl=600)


def a_checkpoint(**changes: Any) -> Checkpoint:
    state = {"cookies": [], "origins": [{"origin": "http://a.example", "localStorage": []}]}
    return Checkpoint(**{"taken_at": utc_now(), "url": "http://a.example/", "storage_state": state, **changes})


def test_a_checkpoint_comes_back_as_it_was_kept(store: Store, session_id: str) -> None:
    checkpoint = a_checkpoint()
    assert store.checkpoints.keep(session_id, WORKER, checkpoint)
    assert store.checkpoints.get(session_id) == checkpoint


def test_the_newest_checkpoint_counts(store: Store, session_id: str) -> None:
    for url in ("http://a.example/1", "http://a.example/2"):
        store.checkpoints.keep(session_id, WORKER, a_checkpoint(url=url))
    newest = store.checkpoints.get(session_id)
    assert newest is not None
    assert newest.url == "http://a.example/2"


def test_a_session_has_none_at_first(store: Store, session_id: str) -> None:
    assert store.checkpoints.get(session_id) is None


def test_a_worker_that_does_not_hold_the_session_any_more_keeps_none(store: Store, session_id: str) -> None:
    assert not store.checkpoints.keep(session_id, "fleet@another", a_checkpoint())
    assert store.checkpoints.get(session_id) is None


def test_an_ended_session_keeps_none(store: Store, session_id: str) -> None:
    store.sessions.end(session_id, EndReason.DELETED)
    assert not store.checkpoints.keep(session_id, WORKER, a_checkpoint())


def test_a_checkpoint_ends_with_its_session(store: Store, session_id: str) -> None:
    store.checkpoints.keep(session_id, WORKER, a_checkpoint())
    store.sessions.end(session_id, EndReason.DELETED)
    assert store.checkpoints.get(session_id) is None


def test_a_use_renews_the_checkpoint_with_its_session(store: Store, session_id: str) -> None:
    store.checkpoints.keep(session_id, WORKER, a_checkpoint())
    store.sessions.use(session_id, ttl=1200)
    assert store.client.ttl(keys.session_checkpoint(session_id)) > 1190


def test_keeping_a_checkpoint_is_no_use(store: Store, session_id: str) -> None:
    store.client.expire(keys.session(session_id), 5)
    store.checkpoints.keep(session_id, WORKER, a_checkpoint())
    assert store.client.ttl(keys.session(session_id)) <= 5
    assert store.client.ttl(keys.session_checkpoint(session_id)) <= 5
