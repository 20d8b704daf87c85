"""Who may call: keys of programs, and what is open to all."""

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from structlog.testing import capture_logs
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.authentication import OPEN_ENDPOINTS
from app.factory import create_app
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.doubles import RecordingQueue
from tests.integration.api.keyed import CI, KEYS, OPS, OTHER, a_keyed_app, bearer
from tests.integration.as_worker import WORKER
from tests.integration.redis_server import RedisServer

_WEBSOCKET = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.fixture
def keyed(settings: Settings, store: Store) -> Flask:
    return a_keyed_app(settings, store)


@pytest.fixture
def client(keyed: Flask) -> FlaskClient:
    return keyed.test_client()


def code_of(answer: TestResponse) -> str:
    code: str = answer.get_json()["error"]["code"]
    return code


def _path(rule: Rule) -> str:
    """With something for each of its parts."""
    values = dict.fromkeys(rule.arguments, "x")
    _, path = rule.build(values) or ("", "")
    return path


def _calls(app: Flask) -> list[tuple[str, Rule]]:
    return [(method, rule) for rule in app.url_map.iter_rules() for method in (rule.methods or set())]


def _call(client: FlaskClient, method: str, rule: Rule) -> TestResponse:
    return client.open(_path(rule), method=method, headers=_WEBSOCKET if rule.websocket else {}, buffered=True)


def _asks_for_a_key(answer: TestResponse) -> bool:
    """Programs are refused, people are led to the login."""
    if answer.status_code == 303:
        return answer.headers["Location"].startswith("/login")
    return answer.status_code == 401 and b"view_link_invalid" not in answer.data


def test_every_call_asks_for_a_key_but_those_that_are_named(keyed: Flask, client: FlaskClient) -> None:
    unasked = {
        rule.endpoint
        for method, rule in _calls(keyed)
        if method != "HEAD" and not _asks_for_a_key(_call(client, method, rule))
    }
    assert unasked == OPEN_ENDPOINTS


def test_every_call_under_api_is_refused_without_a_key(keyed: Flask, client: FlaskClient) -> None:
    answers = {
        (method, rule.rule): _call(client, method, rule)
        for method, rule in _calls(keyed)
        if rule.rule.startswith("/api/") and rule.endpoint != "documentation.openapi"
    }
    assert len(answers) > 30
    assert {call: answer.status_code for call, answer in answers.items() if answer.status_code != 401} == {}
    assert {answer.headers["WWW-Authenticate"] for answer in answers.values()} == {"Bearer"}
    assert {code_of(answer) for (method, _), answer in answers.items() if method != "HEAD"} == {"unauthorized"}


def test_what_is_open_is_there(keyed: Flask) -> None:
    assert {rule.endpoint for rule in keyed.url_map.iter_rules()} >= OPEN_ENDPOINTS


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/api/openapi.json", "/docs", "/login", "/static/dashboard.css"]
)
def test_health_description_and_login_are_open(client: FlaskClient, path: str) -> None:
    assert client.get(path, buffered=True).status_code == 200


def test_a_path_under_api_where_nothing_is_asks_for_a_key_too(client: FlaskClient) -> None:
    assert client.get("/api/nowhere").status_code == 401
    assert client.get("/api/nowhere", headers=bearer(CI)).status_code == 404
    assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize("key", [CI, OTHER, OPS])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_each_key_opens(client: FlaskClient, scheme: str, key: str) -> None:
    assert client.get("/api/jobs", headers={"Authorization": f"{scheme} {key}"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": f"{scheme} {key}"}).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {CI}x",
        f"Bearer {CI[:-1]}",
        f"Bearer {CI.upper()}",
        "Bearer ci",
        f"Bearer ci:{CI}",
        f"Bearer {CI},{OTHER}",
        f"Basic {CI}",
        CI,
        "Bearer \xe9\xff",
    ],
)
def test_anything_else_does_not(client: FlaskClient, given: str) -> None:
    answer = client.get("/api/jobs", headers={"Authorization": given})
    assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
    assert CI not in answer.text


def test_a_key_in_the_address_is_not_taken(client: FlaskClient) -> None:
    assert client.get(f"/api/jobs?key={CI}").status_code == 401


def test_metrics_ask_for_a_key(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 401


def test_without_keys_everybody_may(settings: Settings, store: Store) -> None:
    client = create_app(settings, store=store, queue=RecordingQueue()).test_client()
    assert client.get("/api/jobs").status_code == 200
    assert client.get("/metrics").status_code == 200
    assert client.post(f"/api/workers/{WORKER}/drain").status_code == 202


def test_only_an_operators_key_drains(client: FlaskClient, store: Store) -> None:
    path = f"/api/workers/{WORKER}/drain"
    refused = client.post(path, headers=bearer(CI))
    assert (refused.status_code, code_of(refused)) == (403, "admin_key_required")
    assert not store.workers.is_asked_to_drain(WORKER)
    assert client.post(path, headers=bearer(OPS)).status_code == 202
    assert store.workers.is_asked_to_drain(WORKER)


def test_whoever_may_not_drain_does_not_hear_which_workers_there_are(client: FlaskClient) -> None:
    assert client.post("/api/workers/nobody/drain", headers=bearer(CI)).status_code == 403


def test_each_key_has_a_rate_of_its_own(settings: Settings) -> None:
    strict = settings.model_copy(update={"session_rate": "2/minute", "api_keys": SecretStr(KEYS)})
    store = open_store(strict, retries=0)
    client = create_app(strict, store=store, queue=RecordingQueue()).test_client()
    statuses = [
        client.post("/api/sessions", json={}, headers=bearer(key)).status_code
        for key in (CI, CI, CI, OTHER, OTHER, OTHER)
    ]
    store.client.close()
    assert statuses == [202, 202, 429, 202, 202, 429]


def test_idempotency_keys_of_two_callers_do_not_meet(client: FlaskClient) -> None:
    def post(key: str, html: str) -> TestResponse:
        headers = bearer(key) | {"Idempotency-Key": "same"}
        return client.post("/api/captures", json={"html": html}, headers=headers)

    first, again, other = post(CI, "<p>"), post(CI, "<p>"), post(OTHER, "<b>")
    assert (again.status_code, again.get_json()) == (first.status_code, first.get_json())
    assert other.status_code == 202
    assert other.get_json()["job"]["id"] != first.get_json()["job"]["id"]


def test_the_line_of_a_request_has_the_name_of_the_key(keyed: Flask) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        keyed.test_client().get("/api/jobs", headers=bearer(CI))
        keyed.test_client().get("/healthz")
        keyed.test_client().get("/api/jobs")
    lines = [line for line in logged if line["event"] == "request"]
    assert [line.get("api_key") for line in lines] == ["ci", None, None]
    assert CI not in str(logged)


def test_who_tries_too_many_keys_has_to_wait(client: FlaskClient) -> None:
    answers = [client.get("/api/jobs", headers=bearer(f"wrong-{number}")) for number in range(31)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
    assert code_of(answers[-1]) == "rate_limited"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_logins_and_headers_are_counted_together(client: FlaskClient) -> None:
    for number in range(30):
        client.get("/api/jobs", headers=bearer(f"wrong-{number}"))
    answer = client.post("/login", data={"key": "wrong"})
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers


def test_a_good_key_passes_however_many_wrong_ones_came_from_its_address(client: FlaskClient) -> None:
    for number in range(31):
        client.get("/api/jobs", headers=bearer(f"wrong-{number}"))
    assert client.get("/api/jobs", headers=bearer(CI)).status_code == 200


def test_a_request_without_a_key_is_no_try(client: FlaskClient) -> None:
    assert {client.get("/api/jobs").status_code for _ in range(40)} == {401}


def test_other_addresses_may_try_on(client: FlaskClient) -> None:
    for number in range(31):
        client.get("/api/jobs", headers=bearer(f"wrong-{number}"))
    answer = client.get("/api/jobs", headers=bearer("wrong"), environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert answer.status_code == 401


def test_without_a_store_a_wrong_key_opens_nothing(settings: Settings, own_redis: RedisServer) -> None:
    store = open_store(settings.model_copy(update={"redis_url": own_redis.url}), retries=0)
    client = a_keyed_app(settings, store).test_client()
    own_redis.stop()
    answer = client.get("/metrics", headers=bearer("wrong"))
    assert (answer.status_code, code_of(answer)) == (503, "store_unavailable")
    assert client.get("/metrics", headers=bearer(CI)).status_code == 200
    store.client.close()


def test_a_stream_asks_for_a_key_before_the_upgrade(client: FlaskClient) -> None:
    created = client.post("/api/sessions", json={}, headers=bearer(CI)).get_json()["session"]["id"]
    path = f"/api/sessions/{created}/stream"
    for headers in ({}, _WEBSOCKET):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
    # A plain request hears whether an upgrade would be refused.
    assert client.get(path, headers=bearer(CI)).status_code == 426


def test_a_view_link_opens_its_stream_and_nothing_else(client: FlaskClient) -> None:
    session = client.post("/api/sessions", json={}, headers=bearer(CI)).get_json()["session"]["id"]
    made = client.post(f"/api/sessions/{session}/view_links", json={}, headers=bearer(CI)).get_json()
    path = made["url"].removeprefix("http://localhost")
    token = path.removeprefix("/view/")
    assert client.get(path).status_code == 200
    assert client.get(f"/api/sessions/{session}/stream?view={token}").status_code == 426
    assert client.get(f"/api/sessions/{session}?view={token}").status_code == 401
    assert client.get(f"/api/sessions?view={token}").status_code == 401


@pytest.mark.parametrize("query", ["view=", "view", "view=forged", "view=&view=x", "View=x"])
@pytest.mark.parametrize("headers", [{}, _WEBSOCKET], ids=["plain", "websocket"])
def test_a_view_link_that_is_none_opens_nothing(client: FlaskClient, query: str, headers: dict[str, str]) -> None:
    session = client.post("/api/sessions", json={}, headers=bearer(CI)).get_json()["session"]["id"]
    assert client.get(f"/api/sessions/{session}/stream?{query}", headers=headers).status_code == 401


def test_the_description_says_how_to_send_a_key(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    (name, scheme), *others = document["components"]["securitySchemes"].items()
    assert (others, scheme["type"], scheme["scheme"]) == ([], "http", "bearer")
    assert document["security"] == [{name: []}]
    open_calls = [
        path for path, calls in document["paths"].items() if any(call.get("security") == [] for call in calls.values())
    ]
    assert open_calls == ["/healthz", "/readyz"]


def test_the_description_of_an_open_fleet_asks_for_none(settings: Settings, store: Store) -> None:
    client = create_app(settings, store=store, queue=RecordingQueue()).test_client()
    assert "security" not in client.get("/api/openapi.json").get_json()
