import json
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fleet.artifacts.storage import ArtifactStorage
from fleet.store import Store
from tests.doubles import RecordingQueue, SentTask
from tests.factories import a_manifest
from tests.integration.api.conftest import Json
from tests.integration.as_worker import fail, keep_artifact, succeed
from tests.polling import eventually

_BODY: dict[str, Any] = {"html": "<p>"}


@pytest.fixture
def waiting_for_png(app: Flask, background: ThreadPoolExecutor) -> Future[TestResponse]:
    """A request that waits for the picture itself."""
    return background.submit(
        partial(app.test_client().post, json=_BODY, headers={"Accept": "image/png"}, buffered=True),
        "/api/captures?wait=20",
    )


def job_id_of(queue: RecordingQueue) -> str:
    return eventually(lambda: queue.sent)[0].argument


def test_a_capture_is_accepted_as_a_job_without_a_session(client: FlaskClient) -> None:
    answer = client.post("/api/captures", json=_BODY)
    job = answer.get_json()["job"]

    assert answer.status_code == 202
    assert (job["kind"], job["state"], job["session_id"], job["result"]) == ("capture", "queued", None, None)


def test_a_capture_is_sent_to_any_worker(accepted_capture: Json, queue: RecordingQueue) -> None:
    assert queue.sent == [SentTask("fleet.run_capture", accepted_capture["id"], "captures")]


def test_the_worker_finds_what_was_asked_and_no_more(client: FlaskClient, store: Store) -> None:
    body = {"url": "http://a.example/", "goto": {"waitUntil": "commit"}, "context": {"isMobile": True}}
    job = client.post("/api/captures", json=body).get_json()["job"]

    assert json.loads(store.jobs.request(job["id"]) or "") == {
        "url": "http://a.example/",
        "goto": {"wait_until": "commit"},
        "context": {"is_mobile": True},
    }


def test_the_worker_finds_the_output_that_was_asked_for_by_accept(client: FlaskClient, store: Store) -> None:
    job = client.post("/api/captures", json=_BODY, headers={"Accept": "application/pdf"}).get_json()["job"]

    assert json.loads(store.jobs.request(job["id"]) or "")["outputs"] == [{"kind": "pdf"}]


def test_captures_wait_in_the_order_of_their_arrival(client: FlaskClient) -> None:
    positions = [client.post("/api/captures", json=_BODY).get_json()["job"]["position"] for _ in range(3)]

    assert positions == [1, 2, 3]


def test_a_job_does_not_show_the_request_id_as_a_field(accepted_capture: Json) -> None:
    assert "request_id" not in accepted_capture


def test_the_worker_finds_the_id_of_the_request(client: FlaskClient, store: Store) -> None:
    answer = client.post("/api/captures", json=_BODY, headers={"X-Request-Id": "trace-1"})
    job = store.jobs.get(answer.get_json()["job"]["id"])

    assert job is not None
    assert job.request_id == "trace-1"


def test_a_capture_that_is_waited_for_answers_with_its_manifest(
    app: Flask, queue: RecordingQueue, store: Store, background: ThreadPoolExecutor
) -> None:
    waiting = background.submit(app.test_client().post, "/api/captures?wait=20", json=_BODY)
    succeed(store, job_id_of(queue), result=a_manifest(title="A page"))
    answer = waiting.result(10)

    assert answer.status_code == 200
    assert answer.get_json()["job"]["result"]["title"] == "A page"


def test_a_capture_that_failed_while_it_was_waited_for_answers_with_the_failed_job(
    app: Flask, queue: RecordingQueue, store: Store, background: ThreadPoolExecutor
) -> None:
    waiting = background.submit(app.test_client().post, "/api/captures?wait=20", json=_BODY)
    fail(store, job_id_of(queue), "navigation_timeout")
    answer = waiting.result(10)

    assert answer.status_code == 200
    assert answer.get_json()["job"]["error"]["code"] == "navigation_timeout"


def test_who_accepts_a_picture_and_waits_gets_the_picture(
    waiting_for_png: Future[TestResponse], queue: RecordingQueue, store: Store, storage: ArtifactStorage
) -> None:
    artifact = keep_artifact(store, storage, b"picture")
    job = succeed(store, job_id_of(queue), result=a_manifest(artifact))
    answer = waiting_for_png.result(10)

    assert (answer.status_code, answer.mimetype, answer.data) == (200, "image/png", b"picture")
    assert answer.headers["X-Job-Id"] == job.id


def test_who_accepts_a_picture_gets_the_first_one(
    waiting_for_png: Future[TestResponse], queue: RecordingQueue, store: Store, storage: ArtifactStorage
) -> None:
    page = keep_artifact(store, storage, b"page", kind="html", media_type="text/html")
    pictures = [keep_artifact(store, storage, content) for content in (b"first", b"second")]
    succeed(store, job_id_of(queue), result=a_manifest(page, *pictures))

    assert waiting_for_png.result(10).data == b"first"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("name_not_resolved", 422),
        ("selector_not_found", 422),
        ("browser_unavailable", 503),
        ("worker_lost", 500),
        ("job_cancelled", 409),
    ],
)
def test_who_accepts_a_picture_gets_the_error_of_a_failed_capture(
    waiting_for_png: Future[TestResponse], queue: RecordingQueue, store: Store, code: str, status: int
) -> None:
    job = fail(store, job_id_of(queue), code, "what failed", selector="#a")
    answer = waiting_for_png.result(10)
    error = answer.get_json()["error"]

    assert (answer.status_code, error["code"], error["message"]) == (status, code, "what failed")
    assert error["details"] == {"selector": "#a", "job_id": job.id}


def test_who_accepts_a_picture_and_does_not_wait_gets_the_job(client: FlaskClient) -> None:
    answer = client.post("/api/captures", json=_BODY, headers={"Accept": "image/png"})

    assert (answer.status_code, answer.mimetype) == (202, "application/json")


def test_who_accepts_nothing_that_the_capture_yields_is_refused_before_it_is_queued(
    client: FlaskClient, queue: RecordingQueue
) -> None:
    answer = client.post("/api/captures", json=_BODY, headers={"Accept": "image/gif"})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (406, "not_acceptable")
    assert queue.sent == []


def test_a_capture_beyond_the_limit_of_the_queue_is_refused_for_now(tight_client: FlaskClient) -> None:
    tight_client.post("/api/captures", json=_BODY)
    refused = tight_client.post("/api/captures", json=_BODY)

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (429, "queue_full")
    assert int(refused.headers["Retry-After"]) > 0


def test_the_limit_counts_what_waits_and_not_what_runs(
    tight_client: FlaskClient, queue: RecordingQueue, store: Store
) -> None:
    tight_client.post("/api/captures", json=_BODY)
    succeed(store, queue.sent[0].argument, result=a_manifest())

    assert tight_client.post("/api/captures", json=_BODY).status_code == 202


def test_sessions_and_captures_wait_in_queues_of_their_own(tight_client: FlaskClient) -> None:
    tight_client.post("/api/sessions")

    assert tight_client.post("/api/captures", json=_BODY).status_code == 202


def test_a_capture_that_the_broker_did_not_take_is_refused_for_now(client_without_broker: FlaskClient) -> None:
    refused = client_without_broker.post("/api/captures", json=_BODY)

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "store_unavailable")


def test_a_capture_that_the_broker_did_not_take_gives_its_place_back(
    client_without_broker: FlaskClient, store: Store
) -> None:
    client_without_broker.post("/api/captures", json=_BODY)

    assert store.waiting.length("captures") == 0


def test_a_capture_that_the_broker_did_not_take_leaves_no_job(client_without_broker: FlaskClient) -> None:
    client_without_broker.post("/api/captures", json=_BODY)

    assert client_without_broker.get("/api/jobs").get_json()["jobs"] == []
