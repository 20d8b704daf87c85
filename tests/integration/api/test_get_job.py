import pytest
from flask.testing import FlaskClient

from fleet.ids import new_id
from fleet.store import Store
from tests.factories import a_manifest, an_artifact
from tests.integration.api.conftest import Json
from tests.integration.as_worker import WORKER, fail, start, succeed


def test_a_queued_job_reads_as_it_was_answered(client: FlaskClient, accepted_capture: Json) -> None:
    answer = client.get(f"/api/jobs/{accepted_capture['id']}")

    assert (answer.status_code, answer.get_json()) == (200, accepted_capture)


def test_a_job_moves_up_when_the_one_before_it_starts(client: FlaskClient, store: Store) -> None:
    first, second = (client.post("/api/captures", json={"html": ""}).get_json()["job"]["id"] for _ in range(2))
    start(store, first)

    assert client.get(f"/api/jobs/{second}").get_json()["position"] == 1


def test_a_job_of_a_session_has_its_position_among_the_sessions_jobs(
    client: FlaskClient, running_session: str, accepted_capture: Json
) -> None:
    jobs = [client.post(f"/api/sessions/{running_session}/captures", json={}).get_json()["job"]["id"] for _ in range(2)]

    assert [client.get(f"/api/jobs/{job}").get_json()["position"] for job in jobs] == [1, 2]


def test_a_running_job_names_its_worker_and_has_no_position(
    client: FlaskClient, accepted_capture: Json, store: Store
) -> None:
    start(store, accepted_capture["id"])
    job = client.get(f"/api/jobs/{accepted_capture['id']}").get_json()

    assert (job["state"], job["worker"], job["attempts"], job["position"]) == ("running", WORKER, 1, None)
    assert job["queued_at"] < job["started_at"]


def test_a_succeeded_job_has_its_manifest(client: FlaskClient, accepted_capture: Json, store: Store) -> None:
    artifact = an_artifact(width=800)
    succeed(store, accepted_capture["id"], result=a_manifest(artifact))
    job = client.get(f"/api/jobs/{accepted_capture['id']}").get_json()

    (listed,) = job["result"]["artifacts"]
    assert (job["state"], job["error"]) == ("succeeded", None)
    assert (listed["id"], listed["sha256"], listed["width"]) == (artifact.id, artifact.sha256, 800)
    assert listed["url"] == f"/api/artifacts/{artifact.id}"


def test_a_failed_job_has_its_error(client: FlaskClient, accepted_capture: Json, store: Store) -> None:
    fail(store, accepted_capture["id"], "tls_error", "The handshake failed.", host="a.example")
    job = client.get(f"/api/jobs/{accepted_capture['id']}").get_json()

    assert (job["state"], job["result"]) == ("failed", None)
    assert job["error"] == {
        "code": "tls_error",
        "message": "The handshake failed.",
        "details": {"host": "a.example"},
    }


def test_times_are_in_utc(accepted_capture: Json) -> None:
    assert accepted_capture["queued_at"].endswith("Z")


def test_what_was_asked_is_never_shown(client: FlaskClient) -> None:
    body = {"html": "", "context": {"http_credentials": {"username": "a", "password": "hunter2"}}}
    accepted = client.post("/api/captures", json=body)

    assert "hunter2" not in accepted.text
    assert "hunter2" not in client.get(f"/api/jobs/{accepted.get_json()['job']['id']}").text


@pytest.mark.parametrize("job_id", [new_id("job"), "job_short", "%7B*%7D", "ses_" + "a" * 32, "x" * 500, "%00"])
@pytest.mark.parametrize("query", ["", "?wait=1"])
def test_a_job_that_never_was_is_not_found(client: FlaskClient, job_id: str, query: str) -> None:
    answer = client.get(f"/api/jobs/{job_id}{query}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "job_not_found")


def test_a_job_whose_record_has_expired_is_not_found(client: FlaskClient, accepted_capture: Json, store: Store) -> None:
    for key in store.client.keys(f"*{accepted_capture['id']}*"):
        store.client.delete(key)

    assert client.get(f"/api/jobs/{accepted_capture['id']}").status_code == 404
