import time

import pytest
from flask.testing import FlaskClient

from fleet.models.session import EndReason
from fleet.store import Store
from tests.integration.as_worker import open_session
from tests.polling import eventually


@pytest.fixture
def three(client: FlaskClient) -> list[str]:
    """Ids of sessions, oldest first, each created in a millisecond of its own."""
    return [_created_alone(client) for _ in range(3)]


def _created_alone(client: FlaskClient) -> str:
    session_id: str = client.post("/api/sessions").get_json()["session"]["id"]
    before = time.time_ns() // 1_000_000
    eventually(lambda: time.time_ns() // 1_000_000 > before)
    return session_id


def listed(client: FlaskClient, query: str = "") -> list[str]:
    return [session["id"] for session in client.get(f"/api/sessions{query}").get_json()["sessions"]]


def test_an_empty_fleet_lists_nothing(client: FlaskClient) -> None:
    assert client.get("/api/sessions").get_json() == {"sessions": [], "next_cursor": None}


def test_sessions_are_listed_newest_first(client: FlaskClient, three: list[str]) -> None:
    assert listed(client) == three[::-1]


def test_a_listed_session_is_the_session(client: FlaskClient, running_session: str) -> None:
    (entry,) = client.get("/api/sessions").get_json()["sessions"]
    read = client.get(f"/api/sessions/{running_session}").get_json()

    moving = {"ttl": 0, "expires_at": ""}
    assert entry | moving == read | moving


def test_pages_follow_each_other_without_a_gap(client: FlaskClient, three: list[str]) -> None:
    first = client.get("/api/sessions?limit=2").get_json()

    assert [session["id"] for session in first["sessions"]] == [three[2], three[1]]
    assert listed(client, f"?limit=2&cursor={first['next_cursor']}") == [three[0]]


def test_the_last_page_has_no_cursor(client: FlaskClient, three: list[str]) -> None:
    assert client.get("/api/sessions?limit=200").get_json()["next_cursor"] is None


def test_an_ended_session_is_not_listed(client: FlaskClient, three: list[str], store: Store) -> None:
    store.sessions.end(three[1], EndReason.DELETED)

    assert listed(client) == [three[2], three[0]]


def test_a_session_that_ended_by_itself_is_not_listed(client: FlaskClient, store: Store) -> None:
    created = client.post("/api/sessions", json={"ttl": 1}).get_json()
    open_session(store, created["session"]["id"], created["job"]["id"])

    eventually(lambda: not listed(client))
