import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from tests.doubles import RecordingQueue, SentTask
from tests.integration.api.conftest import Json
from tests.integration.as_worker import WORKER, fail, open_session
from tests.polling import eventually


def test_a_creation_is_accepted_with_its_session_and_its_job(client: FlaskClient) -> None:
    answer = client.post("/api/sessions", json={})
    session, job = answer.get_json()["session"], answer.get_json()["job"]

    assert answer.status_code == 202
    assert (session["state"], session["worker"], session["generation"]) == ("pending", None, 1)
    assert (job["kind"], job["state"], job["session_id"]) == ("session.create", "queued", session["id"])


def test_a_session_without_a_body_has_the_defaults(pending_session: Json, settings: Settings) -> None:
    session = pending_session["session"]

    assert settings.session_ttl - 5 <= session["ttl"] <= settings.session_ttl
    assert session["metadata"] == {}


def test_a_creation_is_sent_to_the_workers_with_room(pending_session: Json, queue: RecordingQueue) -> None:
    assert queue.sent == [SentTask("fleet.run_session_job", pending_session["session"]["id"], "sessions")]


def test_the_worker_finds_the_options_that_were_given_and_no_others(client: FlaskClient, store: Store) -> None:
    body = {"userAgent": "Fleet", "viewport": {"width": 800, "height": 600}, "url": "http://a.example/"}
    session = client.post("/api/sessions", json=body).get_json()["session"]

    assert json.loads(store.sessions.options(session["id"]) or "") == {
        "user_agent": "Fleet",
        "viewport": {"width": 800, "height": 600},
        "url": "http://a.example/",
    }


def test_the_creation_is_the_first_of_the_sessions_jobs(pending_session: Json, store: Store) -> None:
    assert store.session_jobs.claim(pending_session["session"]["id"], "runner") == pending_session["job"]["id"]


def test_a_session_lives_as_long_as_was_asked(client: FlaskClient) -> None:
    session = client.post("/api/sessions", json={"ttl": 600}).get_json()["session"]

    assert 595 <= session["ttl"] <= 600


def test_no_session_lives_longer_than_its_max_lifetime(client: FlaskClient) -> None:
    session = client.post("/api/sessions", json={"ttl": 600, "max_lifetime": 60}).get_json()["session"]

    assert session["ttl"] <= 60


def test_metadata_comes_back(client: FlaskClient) -> None:
    session = client.post("/api/sessions", json={"metadata": {"order": "17", "größe": "ü"}}).get_json()["session"]

    assert session["metadata"] == {"order": "17", "größe": "ü"}


def test_creations_wait_in_the_order_of_their_arrival(client: FlaskClient) -> None:
    positions = [client.post("/api/sessions").get_json()["job"]["position"] for _ in range(3)]

    assert positions == [1, 2, 3]


def test_a_creation_that_is_waited_for_answers_with_the_running_session(
    app: Flask, store: Store, queue: RecordingQueue, background: ThreadPoolExecutor
) -> None:
    waiting = background.submit(app.test_client().post, "/api/sessions?wait=20")
    session_id = eventually(lambda: queue.sent)[0].argument
    (job,) = store.jobs.newest(limit=1, cursor=None).entries
    open_session(store, session_id, job.id)
    answer = waiting.result(10)

    assert answer.status_code == 201
    assert (answer.get_json()["session"]["state"], answer.get_json()["session"]["worker"]) == ("running", WORKER)
    assert answer.get_json()["job"]["state"] == "succeeded"


def test_a_creation_that_failed_while_it_was_waited_for_answers_with_the_failed_job(
    app: Flask, store: Store, queue: RecordingQueue, background: ThreadPoolExecutor
) -> None:
    waiting = background.submit(app.test_client().post, "/api/sessions?wait=20")
    session_id = eventually(lambda: queue.sent)[0].argument
    (job,) = store.jobs.newest(limit=1, cursor=None).entries
    store.sessions.end(session_id, EndReason.CREATE_FAILED)
    fail(store, job.id, "name_not_resolved")
    answer = waiting.result(10)

    assert answer.status_code == 200
    assert answer.get_json()["job"]["error"]["code"] == "name_not_resolved"


def test_a_creation_beyond_the_limit_of_the_queue_is_refused_for_now(tight_client: FlaskClient) -> None:
    tight_client.post("/api/sessions")
    refused = tight_client.post("/api/sessions")

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (429, "queue_full")
    assert int(refused.headers["Retry-After"]) > 0


def test_a_creation_that_the_full_queue_refused_leaves_nothing_behind(
    tight_client: FlaskClient, queue: RecordingQueue
) -> None:
    accepted = tight_client.post("/api/sessions").get_json()["session"]["id"]
    tight_client.post("/api/sessions")

    assert [session["id"] for session in tight_client.get("/api/sessions").get_json()["sessions"]] == [accepted]
    assert len(tight_client.get("/api/jobs").get_json()["jobs"]) == 1
    assert len(queue.sent) == 1


def test_a_creation_that_the_broker_did_not_take_is_refused_for_now(client_without_broker: FlaskClient) -> None:
    refused = client_without_broker.post("/api/sessions")

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "store_unavailable")


def test_a_creation_that_the_broker_did_not_take_gives_its_place_back(
    client_without_broker: FlaskClient, store: Store
) -> None:
    client_without_broker.post("/api/sessions")

    assert store.waiting.length("sessions") == 0


@pytest.mark.parametrize("listed", ["sessions", "jobs"])
def test_a_creation_that_the_broker_did_not_take_leaves_nothing_behind(
    client_without_broker: FlaskClient, listed: str
) -> None:
    client_without_broker.post("/api/sessions")

    assert client_without_broker.get(f"/api/{listed}").get_json()[listed] == []
