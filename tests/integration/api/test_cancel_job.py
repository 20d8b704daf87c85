from flask.testing import FlaskClient

from fleet import keys
from fleet.ids import new_id
from fleet.models.job import JobState
from fleet.store import Store
from tests.factories import a_manifest
from tests.integration.api.conftest import Json
from tests.integration.as_worker import start, succeed
from tests.polling import eventually


def cancel(client: FlaskClient, job_id: str) -> tuple[int, Json]:
    answer = client.delete(f"/api/jobs/{job_id}")
    return answer.status_code, answer.get_json()["job"]


def test_a_queued_job_is_cancelled_at_once(client: FlaskClient, accepted_capture: Json) -> None:
    status, job = cancel(client, accepted_capture["id"])

    assert (status, job["state"], job["error"]["code"]) == (200, "cancelled", "job_cancelled")
    assert job["finished_at"] is not None


def test_a_cancelled_job_stays_cancelled(client: FlaskClient, accepted_capture: Json) -> None:
    cancel(client, accepted_capture["id"])

    assert client.get(f"/api/jobs/{accepted_capture['id']}").get_json()["state"] == "cancelled"


def test_a_cancelled_job_never_runs(client: FlaskClient, accepted_capture: Json, store: Store) -> None:
    cancel(client, accepted_capture["id"])
    job = store.jobs.get(accepted_capture["id"])

    assert job is not None
    assert store.jobs.move(job, JobState.RUNNING) is None


def test_a_cancelled_job_gives_its_place_in_the_queue_back(
    tight_client: FlaskClient, client: FlaskClient, accepted_capture: Json
) -> None:
    assert tight_client.post("/api/captures", json={"html": ""}).status_code == 429
    cancel(client, accepted_capture["id"])

    assert tight_client.post("/api/captures", json={"html": ""}).status_code == 202


def test_what_a_cancelled_job_was_asked_is_forgotten(client: FlaskClient, accepted_capture: Json, store: Store) -> None:
    cancel(client, accepted_capture["id"])

    assert store.jobs.request(accepted_capture["id"]) is None


def test_a_running_job_is_asked_to_stop(client: FlaskClient, accepted_capture: Json, store: Store) -> None:
    start(store, accepted_capture["id"])
    with store.client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(keys.JOB_CANCEL_CHANNEL)
        status, job = cancel(client, accepted_capture["id"])
        message = eventually(heard.get_message)

    assert (status, job["state"]) == (202, "running")
    assert message["data"] == accepted_capture["id"]


def test_a_finished_job_stays_as_it_is(client: FlaskClient, accepted_capture: Json, store: Store) -> None:
    succeed(store, accepted_capture["id"], result=a_manifest())
    status, job = cancel(client, accepted_capture["id"])

    assert (status, job["state"], job["error"]) == (200, "succeeded", None)


def test_a_cancelled_creation_ends_its_session(client: FlaskClient, pending_session: Json) -> None:
    cancel(client, pending_session["job"]["id"])
    session = client.get(f"/api/sessions/{pending_session['session']['id']}")

    assert session.status_code == 410
    assert session.get_json()["error"]["details"]["end_reason"] == "deleted"


def test_a_cancelled_capture_leaves_its_session_alone(client: FlaskClient, running_session: str) -> None:
    job = client.post(f"/api/sessions/{running_session}/captures", json={}).get_json()["job"]
    cancel(client, job["id"])

    assert client.get(f"/api/sessions/{running_session}").get_json()["state"] == "running"


def test_a_job_that_never_was_cannot_be_cancelled(client: FlaskClient) -> None:
    answer = client.delete(f"/api/jobs/{new_id('job')}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "job_not_found")
