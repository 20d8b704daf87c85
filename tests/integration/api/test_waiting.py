"""Requests that wait. Over a Redis of their own, so that whoever listens there is the API of the test."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.factory import create_app
from app.wiring import EXTENSION
from fleet import keys
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.doubles import RecordingQueue
from tests.factories import a_manifest
from tests.integration.api.conftest import Json
from tests.integration.as_worker import fail, start, succeed
from tests.integration.redis_server import RedisServer
from tests.polling import eventually

_LONG = 30
Waiting = Callable[[str], "Future[TestResponse]"]


@pytest.fixture
def settings(own_redis: RedisServer, settings: Settings) -> Settings:
    """With one place for those who wait."""
    return settings.model_copy(update={"redis_url": own_redis.url, "api_threads": 8})


@pytest.fixture
def waiting(app: Flask, background: ThreadPoolExecutor) -> Waiting:
    """Starts a request that waits for a job."""
    return lambda job_id: background.submit(app.test_client().get, f"/api/jobs/{job_id}?wait={_LONG}")


def listeners(store: Store) -> int:
    ((_, number),) = store.client.pubsub_numsub(keys.JOB_ENDED_CHANNEL)
    return int(number)


def test_a_request_that_waits_is_answered_when_the_job_ends_elsewhere(
    waiting: Waiting, accepted_capture: Json, store: Store
) -> None:
    answer = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))
    succeed(store, accepted_capture["id"], result=a_manifest())

    assert answer.result(10).get_json()["state"] == "succeeded"


def test_a_request_that_waits_is_answered_when_the_job_fails(
    waiting: Waiting, accepted_capture: Json, store: Store
) -> None:
    answer = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))
    fail(store, accepted_capture["id"], "page_crashed")

    assert answer.result(10).get_json()["error"]["code"] == "page_crashed"


def test_a_request_that_waits_is_answered_when_the_job_is_cancelled(
    waiting: Waiting, client: FlaskClient, accepted_capture: Json, store: Store
) -> None:
    answer = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))
    client.delete(f"/api/jobs/{accepted_capture['id']}")

    assert answer.result(10).get_json()["state"] == "cancelled"


def test_a_request_goes_on_waiting_when_another_job_ends(
    waiting: Waiting, client: FlaskClient, accepted_capture: Json, store: Store
) -> None:
    other = client.post("/api/captures", json={"html": ""}).get_json()["job"]["id"]
    answer = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))
    succeed(store, other, result=a_manifest())
    start(store, accepted_capture["id"])
    succeed(store, accepted_capture["id"], result=a_manifest())

    assert answer.result(10).get_json()["state"] == "succeeded"


@pytest.mark.parametrize("wait", ["0.05", "0", "0.0"])
def test_a_request_whose_patience_ends_gets_the_job_as_it_stands(
    client: FlaskClient, accepted_capture: Json, wait: str
) -> None:
    job = client.get(f"/api/jobs/{accepted_capture['id']}?wait={wait}").get_json()

    assert (job["state"], job["position"]) == ("queued", 1)


def test_a_request_that_waits_for_a_finished_job_does_not_wait(
    waiting: Waiting, accepted_capture: Json, store: Store
) -> None:
    succeed(store, accepted_capture["id"], result=a_manifest())

    assert waiting(accepted_capture["id"]).result(10).get_json()["state"] == "succeeded"


def test_who_finds_no_place_to_wait_is_answered_at_once(waiting: Waiting, accepted_capture: Json, store: Store) -> None:
    seated = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))

    assert waiting(accepted_capture["id"]).result(10).get_json()["state"] == "queued"
    assert not seated.done()
    succeed(store, accepted_capture["id"], result=a_manifest())


def test_a_place_to_wait_is_free_again_after_the_answer(
    waiting: Waiting, client: FlaskClient, accepted_capture: Json, store: Store
) -> None:
    client.get(f"/api/jobs/{accepted_capture['id']}?wait=0.05")
    answer = waiting(accepted_capture["id"])
    succeed(store, accepted_capture["id"], result=a_manifest())

    assert answer.result(10).get_json()["state"] == "succeeded"


def test_a_request_that_waits_outlives_a_restart_of_redis(
    waiting: Waiting, accepted_capture: Json, store: Store, own_redis: RedisServer
) -> None:
    answer = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))
    own_redis.stop()
    own_redis.start()
    eventually(lambda: listeners(store))
    succeed(store, accepted_capture["id"], result=a_manifest())

    assert answer.result(10).get_json()["state"] == "succeeded"


def test_an_end_that_nobody_heard_is_found_after_the_restart(
    waiting: Waiting, accepted_capture: Json, store: Store, own_redis: RedisServer
) -> None:
    """The job ends while the API listens to a Redis that has lost its subscribers."""
    answer = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))
    own_redis.stop()
    own_redis.start()
    succeed(store, accepted_capture["id"], result=a_manifest())

    assert answer.result(15).get_json()["state"] == "succeeded"


def test_who_waits_is_answered_when_the_api_stops(
    app: Flask, waiting: Waiting, accepted_capture: Json, store: Store
) -> None:
    answer = waiting(accepted_capture["id"])
    eventually(lambda: listeners(store))
    app.extensions[EXTENSION].waiter.stop()

    assert answer.result(10).get_json()["state"] == "queued"


def test_nobody_waits_in_an_api_that_stops(app: Flask, waiting: Waiting, accepted_capture: Json) -> None:
    app.extensions[EXTENSION].waiter.stop()

    assert waiting(accepted_capture["id"]).result(10).get_json()["state"] == "queued"


def test_hundreds_who_wait_for_one_job_are_all_answered(
    settings: Settings, store: Store, ended_waiters: list[object]
) -> None:
    roomy = settings.model_copy(update={"api_threads": 320})
    app = create_app(roomy, store=open_store(roomy, retries=0), queue=RecordingQueue())
    job_id = app.test_client().post("/api/captures", json={"html": ""}).get_json()["job"]["id"]
    with ThreadPoolExecutor(200) as threads:
        path = f"/api/jobs/{job_id}?wait={_LONG}"
        answers = [threads.submit(app.test_client().get, path) for _ in range(200)]
        waiter = app.extensions[EXTENSION].waiter
        eventually(lambda: len(waiter._waiting[job_id]) == 200)
        succeed(store, job_id, result=a_manifest())

        assert {answer.result(10).get_json()["state"] for answer in answers} == {"succeeded"}
    waiter._notifications._stopping.set()
    ended_waiters.append(waiter)
