import json
from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from flask.testing import FlaskClient

from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.store import Store
from tests.doubles import RecordingQueue, SentTask
from tests.factories import a_manifest
from tests.integration.api.conftest import Json
from tests.integration.as_worker import WORKER, succeed
from tests.polling import eventually


def captures_of(session_id: str) -> str:
    return f"/api/sessions/{session_id}/captures"


def test_a_capture_in_a_session_is_accepted_as_a_job_of_it(client: FlaskClient, running_session: str) -> None:
    answer = client.post(captures_of(running_session), json={"url": "http://a.example/"})
    job = answer.get_json()["job"]

    assert answer.status_code == 202
    assert (job["kind"], job["state"], job["session_id"]) == ("capture", "queued", running_session)


def test_a_capture_wakes_the_worker_that_holds_the_session(
    client: FlaskClient, running_session: str, queue: RecordingQueue
) -> None:
    client.post(captures_of(running_session), json={})

    assert queue.sent[-1] == SentTask("fleet.run_session_job", running_session, f"{WORKER}.dq2")


def test_a_capture_in_a_pending_session_waits_for_its_creation(
    client: FlaskClient, pending_session: Json, queue: RecordingQueue
) -> None:
    job = client.post(captures_of(pending_session["session"]["id"]), json={}).get_json()["job"]

    assert job["position"] == 2
    # Nobody holds the session yet: the end of its creation wakes what comes next.
    assert len(queue.sent) == 1


def test_captures_of_a_session_stand_in_the_order_of_their_acceptance(
    client: FlaskClient, running_session: str, store: Store
) -> None:
    jobs = [client.post(captures_of(running_session), json={}).get_json()["job"] for _ in range(3)]

    assert [job["position"] for job in jobs] == [1, 2, 3]
    assert store.session_jobs.claim(running_session, "runner") == jobs[0]["id"]


def test_a_capture_without_a_body_takes_the_page_as_it_stands(
    client: FlaskClient, running_session: str, store: Store
) -> None:
    job = client.post(captures_of(running_session)).get_json()["job"]

    assert store.jobs.request(job["id"]) == "{}"


def test_the_worker_finds_what_was_asked_and_no_more(client: FlaskClient, running_session: str, store: Store) -> None:
    body = {"url": "http://a.example/", "outputs": [{"kind": "screenshot", "fullPage": True}]}
    job = client.post(captures_of(running_session), json=body).get_json()["job"]

    assert json.loads(store.jobs.request(job["id"]) or "") == {
        "url": "http://a.example/",
        "outputs": [{"kind": "screenshot", "full_page": True}],
    }


def test_accepting_a_capture_renews_the_session(client: FlaskClient, running_session: str, store: Store) -> None:
    (key,) = store.client.keys(f"*{{{running_session}}}")
    store.client.expire(key, 5)
    client.post(captures_of(running_session), json={})

    assert client.get(f"/api/sessions/{running_session}").get_json()["ttl"] > 5


def test_a_capture_that_is_waited_for_answers_with_its_manifest(
    app: Flask, running_session: str, queue: RecordingQueue, store: Store, background: ThreadPoolExecutor
) -> None:
    waiting = background.submit(app.test_client().post, f"{captures_of(running_session)}?wait=20", json={})
    eventually(lambda: len(queue.sent) == 2)
    succeed(store, store.session_jobs.claim(running_session, "runner") or "", result=a_manifest(title="A page"))
    answer = waiting.result(10)

    assert answer.status_code == 200
    assert answer.get_json()["job"]["result"]["title"] == "A page"


def test_a_session_takes_no_context_options_with_a_capture(client: FlaskClient, running_session: str) -> None:
    answer = client.post(captures_of(running_session), json={"context": {"locale": "de-DE"}})

    assert (answer.status_code, answer.get_json()["error"]["details"]["field"]) == (400, "context")


def test_a_capture_in_an_ended_session_is_refused(client: FlaskClient, running_session: str, store: Store) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    answer = client.post(captures_of(running_session), json={})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (410, "session_ended")


def test_a_capture_in_a_session_that_never_was_is_refused(client: FlaskClient) -> None:
    answer = client.post(captures_of(new_id("ses")), json={})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "session_not_found")


def test_a_capture_that_the_broker_did_not_take_never_runs(
    client_without_broker: FlaskClient, running_session: str, store: Store
) -> None:
    refused = client_without_broker.post(captures_of(running_session), json={})

    assert refused.status_code == 503
    assert store.session_jobs.claim(running_session, "runner") is None
