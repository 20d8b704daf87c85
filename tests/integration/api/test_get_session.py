import pytest
from flask.testing import FlaskClient

from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.store import Store
from tests.integration.api.conftest import Json
from tests.integration.as_worker import WORKER, fail, open_session
from tests.polling import eventually


def test_a_pending_session_reads_as_it_was_answered(client: FlaskClient, pending_session: Json) -> None:
    session = pending_session["session"]
    read = client.get(f"/api/sessions/{session['id']}")

    moving = {"ttl": 0, "expires_at": ""}
    assert read.status_code == 200
    assert read.get_json() | moving == session | moving


def test_a_running_session_names_its_worker(client: FlaskClient, running_session: str) -> None:
    session = client.get(f"/api/sessions/{running_session}").get_json()

    assert (session["state"], session["worker"]) == ("running", WORKER)


def test_a_session_shows_the_page_that_it_is_at(client: FlaskClient, running_session: str, store: Store) -> None:
    store.sessions.renew(running_session, url="http://a.example/", title="A page")
    session = client.get(f"/api/sessions/{running_session}").get_json()

    assert (session["url"], session["title"]) == ("http://a.example/", "A page")


def test_a_session_shows_what_it_takes_in_memory(client: FlaskClient, running_session: str, store: Store) -> None:
    before = client.get(f"/api/sessions/{running_session}").get_json()
    store.sessions.note_memory(running_session, 5_000_000)
    after = client.get(f"/api/sessions/{running_session}").get_json()

    assert (before["memory_bytes"], after["memory_bytes"]) == (None, 5_000_000)


def test_reading_a_session_does_not_renew_it(client: FlaskClient, running_session: str, store: Store) -> None:
    (key,) = store.client.keys(f"*{{{running_session}}}")
    store.client.expire(key, 5)

    reads = [client.get(f"/api/sessions/{running_session}").get_json() for _ in range(2)]
    assert reads[1]["ttl"] <= 5
    assert reads[1]["last_used_at"] == reads[0]["last_used_at"]


@pytest.mark.parametrize("session_id", [new_id("ses"), "ses_short", "%7B*%7D", "job_" + "a" * 32, "x" * 500])
def test_a_session_that_never_was_is_not_found(client: FlaskClient, session_id: str) -> None:
    answer = client.get(f"/api/sessions/{session_id}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "session_not_found")


@pytest.mark.parametrize("reason", [EndReason.DELETED, EndReason.CRASHED, EndReason.CREATE_FAILED, EndReason.MEMORY])
def test_an_ended_session_says_why_it_ended(
    client: FlaskClient, running_session: str, store: Store, reason: EndReason
) -> None:
    store.sessions.end(running_session, reason)
    answer = client.get(f"/api/sessions/{running_session}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (410, "session_ended")
    assert answer.get_json()["error"]["details"]["end_reason"] == reason.value
    assert reason.value in answer.get_json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "reason"), [({"ttl": 1}, "idle"), ({"ttl": 60, "max_lifetime": 1}, "max_lifetime")], ids=["ttl", "life"]
)
def test_a_session_whose_time_is_over_has_ended_by_itself(
    client: FlaskClient, store: Store, body: Json, reason: str
) -> None:
    created = client.post("/api/sessions", json=body).get_json()
    session_id = created["session"]["id"]
    open_session(store, session_id, created["job"]["id"])
    eventually(lambda: client.get(f"/api/sessions/{session_id}").status_code == 410)

    error = client.get(f"/api/sessions/{session_id}").get_json()["error"]
    assert (error["code"], error["details"]["end_reason"]) == ("session_ended", reason)


def test_the_end_of_a_session_is_remembered_for_an_hour(
    client: FlaskClient, running_session: str, store: Store
) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    (remembered,) = store.client.keys(f"*{running_session}*:grave")

    assert 3595 <= store.client.ttl(remembered) <= 3600


def test_a_session_whose_creation_failed_is_not_found_running(
    client: FlaskClient, pending_session: Json, store: Store
) -> None:
    session_id = pending_session["session"]["id"]
    store.sessions.end(session_id, EndReason.CREATE_FAILED)
    fail(store, pending_session["job"]["id"], "browser_unavailable")

    assert client.get(f"/api/sessions/{session_id}").status_code == 410
