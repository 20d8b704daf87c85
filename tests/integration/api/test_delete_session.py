from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from flask.testing import FlaskClient

from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.store import Store
from tests.doubles import RecordingQueue, SentTask
from tests.integration.api.conftest import Json
from tests.integration.as_worker import WORKER, succeed
from tests.polling import eventually


def test_a_deletion_is_a_job(client: FlaskClient, running_session: str) -> None:
    answer = client.delete(f"/api/sessions/{running_session}")
    job = answer.get_json()["job"]

    assert answer.status_code == 202
    assert (job["kind"], job["state"], job["session_id"]) == ("session.delete", "queued", running_session)


def test_a_deletion_wakes_the_worker_that_holds_the_session(
    client: FlaskClient, running_session: str, queue: RecordingQueue
) -> None:
    client.delete(f"/api/sessions/{running_session}")

    assert queue.sent[-1] == SentTask("fleet.run_session_job", running_session, f"{WORKER}.dq2")


def test_a_deletion_waits_behind_the_jobs_accepted_before(client: FlaskClient, running_session: str) -> None:
    client.post(f"/api/sessions/{running_session}/captures", json={})
    client.post(f"/api/sessions/{running_session}/captures", json={})

    assert client.delete(f"/api/sessions/{running_session}").get_json()["job"]["position"] == 3


def test_a_session_lives_until_its_deletion_ran(client: FlaskClient, running_session: str) -> None:
    client.delete(f"/api/sessions/{running_session}")

    assert client.get(f"/api/sessions/{running_session}").status_code == 200


def test_a_deletion_that_is_waited_for_answers_once_it_is_done(
    app: Flask, running_session: str, queue: RecordingQueue, store: Store, background: ThreadPoolExecutor
) -> None:
    waiting = background.submit(app.test_client().delete, f"/api/sessions/{running_session}?wait=20")
    eventually(lambda: len(queue.sent) == 2)
    job_id = store.session_jobs.claim(running_session, "runner") or ""
    store.sessions.end(running_session, EndReason.DELETED)
    succeed(store, job_id)
    answer = waiting.result(10)

    assert (answer.status_code, answer.get_json()["job"]["state"]) == (200, "succeeded")


def test_a_pending_session_is_deleted_after_its_creation(
    client: FlaskClient, pending_session: Json, queue: RecordingQueue
) -> None:
    answer = client.delete(f"/api/sessions/{pending_session['session']['id']}")

    assert answer.get_json()["job"]["position"] == 2
    # Nobody holds the session yet: the end of its creation wakes what comes next.
    assert len(queue.sent) == 1


def test_an_ended_session_cannot_be_deleted_again(client: FlaskClient, running_session: str, store: Store) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    answer = client.delete(f"/api/sessions/{running_session}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (410, "session_ended")


def test_a_session_that_never_was_cannot_be_deleted(client: FlaskClient) -> None:
    answer = client.delete(f"/api/sessions/{new_id('ses')}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "session_not_found")


def test_a_refused_deletion_leaves_no_job(client: FlaskClient) -> None:
    client.delete(f"/api/sessions/{new_id('ses')}")

    assert client.get("/api/jobs").get_json()["jobs"] == []
