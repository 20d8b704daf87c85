"""The API over a real store and real storage, with a queue that records what it is sent."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.factory import create_app
from app.job_waiter import JobWaiter
from app.metrics import ApiCounts
from app.task_queue import CeleryTaskQueue
from app.wiring import EXTENSION
from fleet.artifacts.storage import ArtifactStorage, open_storage
from fleet.clock import utc_now
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.doubles import RecordingQueue
from tests.factories import a_worker_report
from tests.integration.as_worker import open_session
from tests.integration.redis_server import RedisServer

Json = dict[str, Any]


@pytest.fixture
def queue() -> RecordingQueue:
    return RecordingQueue()


@pytest.fixture
def storage(settings: Settings) -> ArtifactStorage:
    return open_storage(settings.artifacts_url)


@pytest.fixture(scope="session")
def ended_waiters(shared_redis: RedisServer) -> Iterator[list[JobWaiter]]:
    """Of applications whose tests are over. Each may have a thread that listens and takes a second to end."""
    waiters: list[JobWaiter] = []
    yield waiters
    for waiter in waiters:
        if waiter._started:
            waiter._notifications.stop()


@pytest.fixture
def app(
    settings: Settings, queue: RecordingQueue, storage: ArtifactStorage, ended_waiters: list[JobWaiter]
) -> Iterator[Flask]:
    """With a store of its own, as every process has."""
    counts = ApiCounts()
    store = open_store(settings, retries=0, on_session_end=counts.session_ended)
    application = create_app(settings, store=store, queue=queue, storage=storage, counts=counts)
    yield application
    waiter: JobWaiter = application.extensions[EXTENSION].waiter
    waiter._notifications._stopping.set()
    ended_waiters.append(waiter)


@pytest.fixture(autouse=True)
def live_worker(store: Store, request: pytest.FixtureRequest) -> None:
    """Without one nothing is accepted for the shared queues."""
    if "no_worker" not in request.keywords:
        store.workers.renew(a_worker_report(reported_at=utc_now()))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def tight_client(settings: Settings, queue: RecordingQueue) -> Iterator[FlaskClient]:
    """Of an API whose queues take one job each."""
    store = open_store(settings.model_copy(update={"queue_limit": 1}), retries=0)
    yield create_app(settings, store=store, queue=queue).test_client()
    store.client.close()


@pytest.fixture
def client_without_broker(settings: Settings, store: Store, own_redis: RedisServer) -> Iterator[FlaskClient]:
    """Of an API whose store answers and whose broker has gone away."""
    queue = CeleryTaskQueue(own_redis.url)
    queue.send_capture("job_before")
    own_redis.stop()
    yield create_app(settings, store=store, queue=queue).test_client()
    queue._celery.close()


@pytest.fixture
def client_without_store(settings: Settings, own_redis: RedisServer) -> Iterator[FlaskClient]:
    """Of an API whose Redis answered once and has gone away."""
    store = open_store(settings.model_copy(update={"redis_url": own_redis.url}), retries=0)
    client = create_app(settings, store=store, queue=RecordingQueue()).test_client()
    assert client.get("/api/jobs").status_code == 200
    own_redis.stop()
    yield client
    store.client.close()


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    """For requests that wait while the test goes on."""
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.fixture
def accepted_capture(client: FlaskClient) -> Json:
    """A job as its client got it."""
    job: Json = client.post("/api/captures", json={"html": "<p>"}).get_json()["job"]
    return job


@pytest.fixture
def pending_session(client: FlaskClient) -> Json:
    """A session, and the job that is to create it."""
    answer: Json = client.post("/api/sessions").get_json()
    return answer


@pytest.fixture
def running_session(pending_session: Json, store: Store) -> str:
    """The id of a session that a worker holds."""
    session_id: str = pending_session["session"]["id"]
    open_session(store, session_id, pending_session["job"]["id"])
    return session_id
