from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fleet.artifacts.storage import ArtifactStorage
from fleet.store import Store
from tests.doubles import RecordingQueue
from tests.factories import a_manifest
from tests.integration.as_worker import keep_artifact, succeed
from tests.polling import eventually

_BODY: dict[str, Any] = {"html": "<p>"}


def post(client: FlaskClient, path: str = "/api/captures", *, key: str = "key-1", **options: Any) -> TestResponse:
    headers = {"Idempotency-Key": key} | options.pop("headers", {})
    return client.post(path, **{"json": _BODY, "headers": headers, **options})


def test_a_request_that_is_sent_again_gets_the_first_answer(client: FlaskClient) -> None:
    first, second = post(client), post(client)

    assert (second.status_code, second.get_json()) == (first.status_code, first.get_json())


def test_a_request_that_is_sent_again_makes_no_second_job(client: FlaskClient, queue: RecordingQueue) -> None:
    post(client)
    post(client)

    assert len(queue.sent) == 1


def test_a_creation_that_is_sent_again_makes_no_second_session(client: FlaskClient) -> None:
    first, second = (post(client, "/api/sessions", json={"ttl": 60}).get_json() for _ in range(2))

    assert second == first
    assert len(client.get("/api/sessions").get_json()["sessions"]) == 1


def test_a_capture_in_a_session_that_is_sent_again_makes_no_second_job(
    client: FlaskClient, running_session: str
) -> None:
    jobs = [post(client, f"/api/sessions/{running_session}/captures").get_json()["job"]["id"] for _ in range(2)]

    assert jobs[0] == jobs[1]


def test_the_first_answer_is_given_again_after_the_job_has_moved_on(client: FlaskClient, store: Store) -> None:
    first = post(client)
    succeed(store, first.get_json()["job"]["id"], result=a_manifest())

    assert post(client).get_json() == first.get_json()


def test_a_request_that_is_sent_again_and_waits_gets_the_finished_job(client: FlaskClient, store: Store) -> None:
    job_id = post(client).get_json()["job"]["id"]
    succeed(store, job_id, result=a_manifest())
    answer = post(client, "/api/captures?wait=5")

    assert answer.status_code == 200
    assert (answer.get_json()["job"]["id"], answer.get_json()["job"]["state"]) == (job_id, "succeeded")


def test_another_key_makes_another_job(client: FlaskClient) -> None:
    assert post(client, key="key-1").get_json()["job"]["id"] != post(client, key="key-2").get_json()["job"]["id"]


def test_requests_without_a_key_are_never_the_same(client: FlaskClient) -> None:
    jobs = {client.post("/api/captures", json=_BODY).get_json()["job"]["id"] for _ in range(2)}

    assert len(jobs) == 2


def test_a_key_that_was_used_for_another_body_is_refused(client: FlaskClient) -> None:
    post(client)
    refused = post(client, json={"html": "<b>"})

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "idempotency_key_reused")


def test_a_key_that_was_used_for_another_path_is_refused(client: FlaskClient) -> None:
    post(client, "/api/sessions", json={})
    refused = post(client, "/api/captures", json={"html": ""})

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "idempotency_key_reused")


def test_a_key_whose_first_request_is_still_being_accepted_is_refused_for_now(
    app: Flask, client: FlaskClient, background: ThreadPoolExecutor
) -> None:
    """Of requests sent at the same time one is accepted; each other gets its answer or is told to wait."""
    answers = list(background.map(lambda _: post(app.test_client()), range(8)))
    accepted = {answer.get_json()["job"]["id"] for answer in answers if answer.status_code == 202}
    refused = {answer.get_json()["error"]["code"] for answer in answers if answer.status_code != 202}

    assert len(accepted) == 1
    assert refused <= {"idempotency_in_progress"}


def test_a_request_that_was_refused_does_not_use_up_its_key(tight_client: FlaskClient, client: FlaskClient) -> None:
    blocking = tight_client.post("/api/captures", json=_BODY).get_json()["job"]["id"]
    assert post(tight_client).status_code == 429
    client.delete(f"/api/jobs/{blocking}")

    assert post(tight_client).status_code == 202


def test_a_request_with_bad_input_does_not_use_up_its_key(client: FlaskClient) -> None:
    assert post(client, json={"html": 5}).status_code == 400
    assert post(client).status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "a\tb"])
def test_a_key_of_another_shape_is_refused(client: FlaskClient, key: str) -> None:
    refused = post(client, key=key)

    assert refused.status_code == 400
    assert refused.get_json()["error"]["details"]["field"] == "Idempotency-Key"


def test_the_longest_key_has_255_characters(client: FlaskClient) -> None:
    assert post(client, key="x" * 255).status_code == 202


def test_a_first_answer_is_kept_for_a_day(client: FlaskClient, store: Store) -> None:
    post(client)
    (kept,) = store.client.keys("fleet:idempotency:*")

    assert 86_395 <= store.client.ttl(kept) <= 86_400


def test_keys_are_not_kept_in_clear(client: FlaskClient, store: Store) -> None:
    post(client, key="customer-4711")

    assert store.client.keys("*4711*") == []


def test_a_key_that_was_used_for_another_output_is_refused(
    app: Flask, queue: RecordingQueue, store: Store, storage: ArtifactStorage, background: ThreadPoolExecutor
) -> None:
    send = partial(post, app.test_client(), "/api/captures?wait=20")
    first = background.submit(send, headers={"Accept": "image/png"}, buffered=True)
    job_id = eventually(lambda: queue.sent)[0].argument
    succeed(store, job_id, result=a_manifest(keep_artifact(store, storage, b"picture")))
    assert first.result(10).data == b"picture"
    second = send(headers={"Accept": "application/pdf"})

    assert (second.status_code, second.get_json()["error"]["code"]) == (409, "idempotency_key_reused")
