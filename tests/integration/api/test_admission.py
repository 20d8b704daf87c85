"""What is accepted, and when to come back: workers, rates, and the jobs of one session."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from app.factory import create_app
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.doubles import RecordingQueue


@pytest.fixture
def strict_client(settings: Settings, queue: RecordingQueue) -> Iterator[FlaskClient]:
    """Of an API that lets two sessions be created in a minute, and two jobs of a session wait."""
    strict = settings.model_copy(update={"session_rate": "2/minute", "session_job_limit": 2})
    store = open_store(strict, retries=0)
    yield create_app(strict, store=store, queue=queue).test_client()
    store.client.close()


@pytest.mark.no_worker
@pytest.mark.parametrize(("path", "body"), [("/api/sessions", {}), ("/api/captures", {"html": "<p>"})])
def test_without_a_live_worker_nothing_is_accepted(client: FlaskClient, path: str, body: dict[str, str]) -> None:
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "no_workers")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.no_worker
def test_what_was_refused_for_want_of_a_worker_leaves_no_job(client: FlaskClient) -> None:
    client.post("/api/captures", json={"html": "<p>"})
    assert client.get("/api/jobs").get_json()["jobs"] == []


def test_every_creation_tells_how_many_more_there_may_be(strict_client: FlaskClient) -> None:
    answers = [strict_client.post("/api/sessions", json={}) for _ in range(2)]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"2"}


def test_one_creation_too_many_is_refused_until_later(strict_client: FlaskClient) -> None:
    for _ in range(2):
        strict_client.post("/api/sessions", json={})
    answer = strict_client.post("/api/sessions", json={})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]


def test_the_rate_holds_over_several_replicas(strict_client: FlaskClient, settings: Settings) -> None:
    strict_client.post("/api/sessions", json={})
    store = open_store(settings.model_copy(update={"session_rate": "2/minute"}), retries=0)
    replica = create_app(settings, store=store, queue=RecordingQueue()).test_client()
    statuses = [replica.post("/api/sessions", json={}).status_code for _ in range(2)]
    store.client.close()
    assert statuses == [202, 429]


def test_a_repeated_request_counts_once(strict_client: FlaskClient) -> None:
    statuses = [
        strict_client.post("/api/sessions", json={}, headers={"Idempotency-Key": "same"}).status_code for _ in range(5)
    ]
    assert statuses == [202] * 5


def test_a_request_that_is_refused_as_bad_does_not_count(strict_client: FlaskClient) -> None:
    for _ in range(5):
        strict_client.post("/api/sessions", json={"ttl": 0})
    assert strict_client.post("/api/sessions", json={}).status_code == 202


@pytest.fixture
def busy_session(strict_client: FlaskClient) -> str:
    """Its creation waits, and one capture behind it."""
    session_id: str = strict_client.post("/api/sessions", json={}).get_json()["session"]["id"]
    strict_client.post(f"/api/sessions/{session_id}/captures", json={"html": "<p>"})
    return session_id


def test_one_job_too_many_of_a_session_is_refused_until_later(strict_client: FlaskClient, busy_session: str) -> None:
    answer = strict_client.post(f"/api/sessions/{busy_session}/captures", json={"html": "<p>"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (429, "session_busy")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_refused_job_of_a_session_leaves_nothing(strict_client: FlaskClient, store: Store, busy_session: str) -> None:
    before = store.client.dbsize()
    strict_client.post(f"/api/sessions/{busy_session}/captures", json={"html": "<p>"})
    assert store.client.dbsize() == before


def test_a_busy_session_can_be_ended(strict_client: FlaskClient, busy_session: str) -> None:
    assert strict_client.delete(f"/api/sessions/{busy_session}").status_code == 202


@pytest.fixture
def full_client(tight_client: FlaskClient) -> FlaskClient:
    """Of an API whose queues take one job each, and have it."""
    tight_client.post("/api/captures", json={"html": "<p>"})
    return tight_client


@pytest.mark.parametrize(("left_in_the_last_minute", "seconds"), [(0, 300), (30, 2), (600, 1)])
def test_a_full_queue_says_when_there_will_be_room(
    full_client: FlaskClient, store: Store, left_in_the_last_minute: int, seconds: int
) -> None:
    for _ in range(left_in_the_last_minute):
        store.throughput.count("captures")
    answer = full_client.post("/api/captures", json={"html": "<p>"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(seconds))
