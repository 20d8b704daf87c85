import pytest
from flask.testing import FlaskClient

from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.store import Store


@pytest.fixture
def session_id(client: FlaskClient) -> str:
    answer = client.post("/api/sessions", json={"ttl": 60, "max_lifetime": 600, "metadata": {"a": "1"}})
    created: str = answer.get_json()["session"]["id"]
    return created


def test_a_new_ttl_counts_from_now(client: FlaskClient, session_id: str) -> None:
    answer = client.patch(f"/api/sessions/{session_id}", json={"ttl": 300})
    assert answer.status_code == 200
    assert answer.get_json()["ttl"] == 300


def test_a_ttl_never_goes_beyond_the_maximum_lifetime(client: FlaskClient, session_id: str) -> None:
    answer = client.patch(f"/api/sessions/{session_id}", json={"ttl": 5000})
    assert 590 < answer.get_json()["ttl"] <= 600


def test_the_new_ttl_is_that_of_later_uses_too(client: FlaskClient, store: Store, session_id: str) -> None:
    client.patch(f"/api/sessions/{session_id}", json={"ttl": 300})
    store.sessions.renew(session_id)
    assert client.get(f"/api/sessions/{session_id}").get_json()["ttl"] == 300


def test_new_metadata_replaces_the_old(client: FlaskClient, session_id: str) -> None:
    answer = client.patch(f"/api/sessions/{session_id}", json={"metadata": {"b": "2"}})
    assert answer.get_json()["metadata"] == {"b": "2"}


def test_an_empty_patch_renews_the_session(client: FlaskClient, store: Store, session_id: str) -> None:
    store.client.expire(f"fleet:session:{{{session_id}}}", 5)
    assert client.patch(f"/api/sessions/{session_id}", json={}).get_json()["ttl"] == 60


@pytest.mark.parametrize("ttl", [0, -1, 604_800, "60", 1.5])
def test_a_bad_ttl_is_refused_and_the_session_unharmed(client: FlaskClient, session_id: str, ttl: object) -> None:
    answer = client.patch(f"/api/sessions/{session_id}", json={"ttl": ttl})
    assert (answer.status_code, answer.get_json()["error"]["details"]["field"]) == (400, "ttl")
    assert client.get(f"/api/sessions/{session_id}").get_json()["ttl"] == 60


def test_a_session_that_never_was_is_not_found(client: FlaskClient) -> None:
    assert client.patch(f"/api/sessions/{new_id('ses')}", json={}).status_code == 404


def test_a_session_that_has_ended_is_gone(client: FlaskClient, store: Store, session_id: str) -> None:
    store.sessions.end(session_id, EndReason.DELETED)
    assert client.patch(f"/api/sessions/{session_id}", json={}).status_code == 410
