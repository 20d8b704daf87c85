from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.wiring import EXTENSION
from fleet import keys
from fleet.ids import new_id
from fleet.models.job import Job, JobState
from fleet.models.session import EndReason
from fleet.store import Store
from tests.doubles import RecordingQueue, SentTask
from tests.integration.api.conftest import Json
from tests.integration.as_worker import WORKER, fail, start, succeed
from tests.polling import eventually

STATE = '{"cookies": [{"name": "login", "value": "S3CRET"}], "origins": []}'


def state_of(session_id: str) -> str:
    return f"/api/sessions/{session_id}/storage_state"


@pytest.fixture
def asked(
    app: Flask, running_session: str, queue: RecordingQueue, background: ThreadPoolExecutor
) -> "Future[TestResponse]":
    """A request for the state of `running_session` that waits for its worker."""
    before = len(queue.sent)
    asking = background.submit(app.test_client().get, state_of(running_session))
    eventually(lambda: len(queue.sent) > before)
    return asking


@pytest.fixture
def job_id(asked: "Future[TestResponse]", running_session: str, store: Store) -> str:
    """What its worker finds to do, and does."""
    claimed = store.session_jobs.claim(running_session, "runner")
    assert claimed is not None
    return claimed


def hand_over(store: Store, job_id: str) -> None:
    start(store, job_id)
    store.storage_states.hand_over(job_id, STATE)
    succeed(store, job_id)


def job(store: Store, job_id: str) -> Job:
    found = store.jobs.get(job_id)
    assert found is not None
    return found


def test_the_answer_is_the_state_that_the_worker_took(asked: "Future[TestResponse]", job_id: str, store: Store) -> None:
    hand_over(store, job_id)
    answer = asked.result(10)

    assert (answer.status_code, answer.mimetype, answer.text) == (200, "application/json", STATE)


def test_no_cache_keeps_the_answer(asked: "Future[TestResponse]", job_id: str, store: Store) -> None:
    hand_over(store, job_id)

    assert asked.result(10).headers["Cache-Control"] == "no-store"


def test_the_worker_that_holds_the_session_is_asked(
    asked: "Future[TestResponse]", running_session: str, queue: RecordingQueue, job_id: str, store: Store
) -> None:
    assert queue.sent[-1] == SentTask("fleet.run_session_job", running_session, f"{WORKER}.dq2")
    hand_over(store, job_id)


def test_the_state_is_behind_the_jobs_accepted_before(
    app: Flask, client: FlaskClient, running_session: str, store: Store, background: ThreadPoolExecutor
) -> None:
    first = client.post(f"/api/sessions/{running_session}/captures", json={}).get_json()["job"]["id"]
    asking = background.submit(app.test_client().get, state_of(running_session))
    eventually(lambda: store.client.llen(keys.session_jobs(running_session)) == 2)
    assert store.session_jobs.claim(running_session, "runner") == first
    succeed(store, first)
    store.session_jobs.release(running_session, "runner", first)
    hand_over(store, store.session_jobs.claim(running_session, "runner") or "")

    assert asking.result(10).status_code == 200


def test_the_state_of_a_pending_session_is_behind_its_creation(
    app: Flask, pending_session: Json, queue: RecordingQueue, store: Store, background: ThreadPoolExecutor
) -> None:
    session_id = pending_session["session"]["id"]
    asking = background.submit(app.test_client().get, state_of(session_id))
    eventually(lambda: store.client.llen(keys.session_jobs(session_id)) == 2)
    assert store.session_jobs.claim(session_id, "runner") == pending_session["job"]["id"]
    # Nobody holds the session yet: the end of its creation wakes what comes next.
    assert len(queue.sent) == 1
    store.session_jobs.release(session_id, "runner", pending_session["job"]["id"])
    hand_over(store, store.session_jobs.claim(session_id, "runner") or "")

    assert asking.result(10).status_code == 200


def test_the_state_is_nowhere_after_it_was_read(asked: "Future[TestResponse]", job_id: str, store: Store) -> None:
    hand_over(store, job_id)
    asked.result(10)

    assert not store.client.exists(keys.job_storage_state(job_id))
    assert "S3CRET" not in str(store.client.hgetall(keys.job(job_id)))


def test_the_job_is_on_no_list(asked: "Future[TestResponse]", job_id: str, client: FlaskClient, store: Store) -> None:
    hand_over(store, job_id)
    asked.result(10)

    assert job_id not in [listed["id"] for listed in client.get("/api/jobs").get_json()["jobs"]]


def test_why_the_worker_could_not_take_it_is_the_answer(
    asked: "Future[TestResponse]", job_id: str, store: Store
) -> None:
    fail(store, job_id, "browser_unavailable", "Chrome is gone.")
    answer = asked.result(10)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "browser_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_session_that_ended_before_its_turn_is_answered_as_ended(
    asked: "Future[TestResponse]", job_id: str, store: Store
) -> None:
    fail(store, job_id, "session_ended", end_reason="create_failed")
    answer = asked.result(10)

    assert (answer.status_code, answer.get_json()["error"]["details"]) == (410, {"end_reason": "create_failed"})


def test_a_session_that_does_not_come_to_it_while_the_request_waits_is_busy(
    app: Flask, asked: "Future[TestResponse]"
) -> None:
    app.extensions[EXTENSION].waiter.stop()
    answer = asked.result(10)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, "session_busy")
    assert int(answer.headers["Retry-After"]) > 0


def test_what_nobody_waits_for_any_more_is_not_taken(
    app: Flask, asked: "Future[TestResponse]", job_id: str, store: Store
) -> None:
    app.extensions[EXTENSION].waiter.stop()
    asked.result(10)

    assert job(store, job_id).state is JobState.CANCELLED


def test_a_state_that_ran_out_before_it_was_read_is_asked_for_in_vain(
    asked: "Future[TestResponse]", job_id: str, store: Store
) -> None:
    succeed(store, job_id)
    answer = asked.result(10)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, "session_busy")


def test_the_state_of_an_ended_session_is_gone(client: FlaskClient, running_session: str, store: Store) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    answer = client.get(state_of(running_session))

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (410, "session_ended")


def test_a_session_that_never_was_has_no_state(client: FlaskClient) -> None:
    answer = client.get(state_of(new_id("ses")))

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "session_not_found")


def test_no_client_is_told_of_the_kind_of_job_behind_it(client: FlaskClient) -> None:
    assert "session.storage_state" not in client.get("/api/openapi.json").text
