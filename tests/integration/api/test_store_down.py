import pytest
import redis
from flask.testing import FlaskClient

from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.settings import Settings
from fleet.store import open_store
from tests.factories import a_worker_report
from tests.integration.redis_server import RedisServer

_CALLS = [
    ("POST", "/api/sessions"),
    ("GET", "/api/sessions"),
    ("GET", f"/api/sessions/{new_id('ses')}"),
    ("DELETE", f"/api/sessions/{new_id('ses')}"),
    ("POST", f"/api/sessions/{new_id('ses')}/captures"),
    ("GET", f"/api/sessions/{new_id('ses')}/scripts"),
    ("POST", f"/api/sessions/{new_id('ses')}/scripts"),
    ("DELETE", f"/api/sessions/{new_id('ses')}/scripts/{new_id('scr')}"),
    ("POST", "/api/captures"),
    ("POST", "/api/captures?wait=20"),
    ("GET", "/api/jobs"),
    ("GET", f"/api/jobs/{new_id('job')}"),
    ("GET", f"/api/jobs/{new_id('job')}?wait=20"),
    ("DELETE", f"/api/jobs/{new_id('job')}"),
    ("GET", f"/api/artifacts/{new_id('art')}"),
]
_BODY = {"html": "<p>"}
_SCRIPT = {"source": "1"}


def start_again(server: RedisServer) -> None:
    """With a worker that is alive, as a fleet has within seconds."""
    server.start()
    store = open_store(Settings(redis_url=server.url), retries=0)
    store.workers.renew(a_worker_report(reported_at=utc_now()))
    store.client.close()


def call(client: FlaskClient, method: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and code."""
    body = _BODY if path.startswith("/api/captures") else _SCRIPT if path.endswith("/scripts") else {}
    answer = client.open(path, method=method, json=body if method == "POST" else None, headers=headers)
    return answer.status_code, answer.get_json().get("error", {}).get("code", "")


@pytest.mark.parametrize(("method", "path"), _CALLS, ids=lambda part: part.replace(part[-32:], "…"))
def test_every_call_that_needs_the_store_is_refused_for_now(
    client_without_store: FlaskClient, method: str, path: str
) -> None:
    assert call(client_without_store, method, path) == (503, "store_unavailable")


def test_a_request_with_an_idempotency_key_is_refused_for_now(client_without_store: FlaskClient) -> None:
    status = call(client_without_store, "POST", "/api/captures", **{"Idempotency-Key": "key-1"})

    assert status == (503, "store_unavailable")


def test_the_refusal_says_when_to_try_again(client_without_store: FlaskClient) -> None:
    assert int(client_without_store.get("/api/jobs").headers["Retry-After"]) > 0


def test_the_refusal_shows_nothing_of_the_inside(client_without_store: FlaskClient, own_redis: RedisServer) -> None:
    text = client_without_store.get("/api/jobs").text

    assert "Traceback" not in text
    assert str(own_redis.port) not in text


def test_bad_input_is_refused_as_bad_also_without_the_store(client_without_store: FlaskClient) -> None:
    assert client_without_store.post("/api/captures", json={"html": 5}).status_code == 400


@pytest.mark.parametrize("asked_while_down", [False, True])
def test_the_same_api_answers_again_when_redis_is_back(
    client_without_store: FlaskClient, own_redis: RedisServer, asked_while_down: bool
) -> None:
    if asked_while_down:
        call(client_without_store, "GET", "/api/jobs")
    start_again(own_redis)

    assert client_without_store.post("/api/captures", json=_BODY).status_code == 202


def test_what_was_accepted_before_is_there_when_redis_is_back(
    client_without_store: FlaskClient, own_redis: RedisServer
) -> None:
    start_again(own_redis)
    job = client_without_store.post("/api/captures", json=_BODY).get_json()["job"]
    own_redis.stop()
    assert call(client_without_store, "GET", f"/api/jobs/{job['id']}") == (503, "store_unavailable")
    start_again(own_redis)

    assert client_without_store.get(f"/api/jobs/{job['id']}").get_json() == job


def test_a_store_without_memory_is_refused_for_now(client_without_store: FlaskClient, own_redis: RedisServer) -> None:
    start_again(own_redis)
    with redis.Redis.from_url(own_redis.url) as administrator:
        administrator.config_set("maxmemory", "1")

    assert call(client_without_store, "POST", "/api/captures") == (503, "store_unavailable")


@pytest.mark.parametrize("path", ["/api/sessions", "/api/captures"])
def test_a_store_that_is_full_accepts_nothing_and_says_so(
    client: FlaskClient, redis_server: RedisServer, path: str
) -> None:
    with redis.Redis(port=redis_server.port) as full:
        full.config_set("maxmemory-policy", "noeviction")
        full.config_set("maxmemory", 1)
        try:
            answer = client.post(path, json={} if path == "/api/sessions" else _BODY)
        finally:
            full.config_set("maxmemory", 0)
    error = answer.get_json()["error"]
    assert (answer.status_code, error["code"], "full" in error["message"]) == (503, "store_unavailable", True)
    assert answer.headers["Retry-After"]
