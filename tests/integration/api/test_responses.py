from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.store import Store
from fleet.store.responses import ResponseWithBody
from tests.factories import a_response
from tests.integration.api.conftest import Json

_CALLS = [("get", ""), ("delete", ""), ("get", f"/{new_id('rsp')}"), ("get", f"/{new_id('rsp')}/body")]


@pytest.fixture
def keep(store: Store, running_session: str) -> Callable[..., ResponseWithBody]:
    """Keeps a response in the running session, made as `a_response` makes it."""

    def kept(*args: Any, **changes: Any) -> ResponseWithBody:
        captured = a_response(*args, **changes)
        assert store.responses.add(running_session, [captured])
        return captured

    return kept


@pytest.fixture
def path(running_session: str) -> str:
    return f"/api/sessions/{running_session}/responses"


@pytest.fixture
def mixed(keep: Callable[..., ResponseWithBody]) -> None:
    keep(url="http://a.example/", status=200, mime_type="text/html; charset=utf-8", resource_type="document")
    keep(url="http://a.example/api/1?q=/x", status=404, mime_type="application/json", resource_type="fetch")
    keep(url="http://a.example/logo", status=200, mime_type="Image/PNG", resource_type="image")
    keep(url="http://b.example/api/2", status=0, mime_type="", resource_type="fetch", failure="net::ERR_FAILED")
    keep(url="http://b.example/gone", status=410, mime_type="text/html", resource_type="document")


def urls(client: FlaskClient, path: str, query: str) -> list[str]:
    """Without scheme and domain's end, in the order of the answer."""
    listed = client.get(f"{path}{query}").get_json()["responses"]
    return [one["request"]["url"].removeprefix("http://").replace(".example", "") for one in listed]


def test_a_session_without_responses_lists_none(client: FlaskClient, path: str) -> None:
    assert client.get(path).get_json() == {"responses": [], "next_cursor": None}


def test_responses_are_listed_newest_first(client: FlaskClient, path: str, mixed: None) -> None:
    assert urls(client, path, "") == ["b/gone", "b/api/2", "a/logo", "a/api/1?q=/x", "a/"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?url=http://a.example/api/*", ["a/api/1?q=/x"]),
        ("?url=*/api/*", ["b/api/2", "a/api/1?q=/x"]),
        ("?url=http://a.example/", ["a/"]),
        ("?url=nothing", []),
        ("?status=404", ["a/api/1?q=/x"]),
        ("?status=4xx", ["b/gone", "a/api/1?q=/x"]),
        ("?status=2xx", ["a/logo", "a/"]),
        ("?status=0", ["b/api/2"]),
        ("?resource_type=document", ["b/gone", "a/"]),
        ("?resourceType=image", ["a/logo"]),
        ("?mime_type=image/*", ["a/logo"]),
        ("?mime_type=text/html", ["b/gone", "a/"]),
        ("?mime_type=TEXT/*%26status=200", []),
        ("?mime_type=TEXT/*&status=200", ["a/"]),
    ],
)
def test_a_filter_leaves_what_passes_it(
    client: FlaskClient, path: str, mixed: None, query: str, found: list[str]
) -> None:
    assert urls(client, path, query) == found


def test_pages_of_a_filtered_list_are_full_and_follow_each_other(client: FlaskClient, path: str, mixed: None) -> None:
    first = client.get(f"{path}?status=2xx&limit=1").get_json()
    rest = f"?status=2xx&limit=1&cursor={first['next_cursor']}"

    assert [one["request"]["url"] for one in first["responses"]] == ["http://a.example/logo"]
    assert urls(client, path, rest) == ["a/"]
    assert client.get(f"{path}{rest}").get_json()["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?status=4", "status"),
        ("?status=600", "status"),
        ("?status=4xx%0a", "status"),
        ("?status=ok", "status"),
        ("?resource_type=picture", "resource_type"),
        ("?url=", "url"),
        ("?url=" + "*" * 2049, "url"),
        ("?mime_type=", "mime_type"),
        ("?limit=0", "limit"),
        ("?cursor=elsewhere", "cursor"),
        ("?mime=image/png", "mime"),
    ],
)
def test_a_bad_filter_is_refused_by_its_name(client: FlaskClient, path: str, query: str, field: str) -> None:
    answer = client.get(f"{path}{query}")
    error = answer.get_json()["error"]

    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "invalid_request", field)


def test_a_response_has_the_names_of_har(client: FlaskClient, path: str, keep: Callable[..., ResponseWithBody]) -> None:
    captured = keep(b"body", url="http://a.example/x", status=404)
    answer = client.get(f"{path}/{captured.response.id}")
    response = answer.get_json()

    assert answer.status_code == 200
    assert (response["id"], response["request"]["url"]) == (captured.response.id, "http://a.example/x")
    assert response["response"]["status"] == 404
    assert response["response"]["content"] == {"size": 4, "mime_type": "text/html; charset=utf-8"}
    assert set(response["timings"]) == {"blocked", "dns", "connect", "ssl", "wait", "receive"}


def test_a_listed_response_is_the_response(
    client: FlaskClient, path: str, keep: Callable[..., ResponseWithBody]
) -> None:
    captured = keep()
    (listed,) = client.get(path).get_json()["responses"]

    assert listed == client.get(f"{path}/{captured.response.id}").get_json()


def test_a_body_comes_as_it_was_kept_to_be_saved_and_not_shown(
    client: FlaskClient, path: str, keep: Callable[..., ResponseWithBody]
) -> None:
    captured = keep(b"\xff\x00<script>", mime_type="text/html; charset=latin-1")
    answer = client.get(f"{path}/{captured.response.id}/body")

    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"\xff\x00<script>", "text/html")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("mime_type", ["", "html", "text/html\r\nX: y", "a b/c", "é/é", "a/" + "b" * 128])
def test_what_is_no_media_type_is_served_as_bytes(
    client: FlaskClient, path: str, keep: Callable[..., ResponseWithBody], mime_type: str
) -> None:
    captured = keep(mime_type=mime_type)

    assert client.get(f"{path}/{captured.response.id}/body").mimetype == "application/octet-stream"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "has no body"),
        ({"body_evicted": True}, "dropped"),
        ({"body_truncated": True}, "too large"),
        ({"body_bytes": 4}, "just expired"),
    ],
)
def test_a_body_that_was_not_kept_is_not_found_and_says_why(
    client: FlaskClient, path: str, keep: Callable[..., ResponseWithBody], changes: Json, reason: str
) -> None:
    captured = keep(b"", **changes)
    answer = client.get(f"{path}/{captured.response.id}/body")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "response_not_found")
    assert reason in answer.get_json()["error"]["message"]


@pytest.mark.parametrize("end", ["", "/body"])
@pytest.mark.parametrize("response_id", [new_id("rsp"), "rsp_short", "%7B*%7D", "job_" + "a" * 32, "x" * 500])
def test_a_response_that_never_was_is_not_found(client: FlaskClient, path: str, response_id: str, end: str) -> None:
    answer = client.get(f"{path}/{response_id}{end}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "response_not_found")


@pytest.mark.parametrize("end", ["", "/body"])
def test_a_response_of_another_session_is_not_found(client: FlaskClient, path: str, store: Store, end: str) -> None:
    other = client.post("/api/sessions").get_json()["session"]["id"]
    captured = a_response()
    store.responses.add(other, [captured])

    assert client.get(f"{path}/{captured.response.id}{end}").status_code == 404
    assert client.get(path).get_json()["responses"] == []


def test_deleting_says_how_many_there_were(
    client: FlaskClient, path: str, keep: Callable[..., ResponseWithBody]
) -> None:
    captured = [keep() for _ in range(3)]
    answer = client.delete(path)

    assert (answer.status_code, answer.get_json()) == (200, {"deleted": 3})
    assert client.get(f"{path}/{captured[0].response.id}").status_code == 404
    assert client.delete(path).get_json() == {"deleted": 0}


def test_a_session_shows_how_many_there_are(
    client: FlaskClient, running_session: str, keep: Callable[..., ResponseWithBody]
) -> None:
    keep()
    keep()
    (listed,) = client.get("/api/sessions").get_json()["sessions"]

    assert client.get(f"/api/sessions/{running_session}").get_json()["responses"] == 2
    assert listed["responses"] == 2


@pytest.mark.parametrize(("method", "end"), _CALLS)
def test_every_call_is_a_use_of_the_session(
    client: FlaskClient, running_session: str, store: Store, method: str, end: str
) -> None:
    (key,) = store.client.keys(f"*{{{running_session}}}")
    store.client.expire(key, 5)
    client.open(f"/api/sessions/{running_session}/responses{end}", method=method)

    assert store.client.ttl(key) > 5


@pytest.mark.parametrize(("method", "end"), _CALLS)
@pytest.mark.parametrize("session_id", [new_id("ses"), "ses_short", "%7B*%7D"])
def test_responses_of_a_session_that_never_was_are_not_found(
    client: FlaskClient, session_id: str, method: str, end: str
) -> None:
    answer = client.open(f"/api/sessions/{session_id}/responses{end}", method=method)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "session_not_found")


@pytest.mark.parametrize(("method", "end"), _CALLS)
def test_responses_of_an_ended_session_are_gone(
    client: FlaskClient, running_session: str, store: Store, method: str, end: str
) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    answer = client.open(f"/api/sessions/{running_session}/responses{end}", method=method)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (410, "session_ended")


@pytest.mark.parametrize(
    "wanted", [True, False, None, {}, {"bodyLimit": 0}, {"resource_types": ["xhr"], "urls": ["*"]}], ids=str
)
def test_what_to_record_is_kept_for_the_worker_as_it_was_asked(
    client: FlaskClient, store: Store, wanted: Json | bool | None
) -> None:
    answer = client.post("/api/sessions", json={"record_responses": wanted})

    assert answer.status_code == 202
    assert '"record_responses"' in (store.sessions.options(answer.get_json()["session"]["id"]) or "")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ("yes", "record_responses"),
        (1, "record_responses"),
        ([], "record_responses"),
        ({"body_limit": -1}, "record_responses.body_limit"),
        ({"body_limit": 1_048_577}, "record_responses.body_limit"),
        ({"resource_types": ["picture"]}, "record_responses.resource_types[0]"),
        ({"resource_types": []}, "record_responses.resource_types"),
        ({"urls": [""]}, "record_responses.urls[0]"),
        ({"urls": ["*"] * 33}, "record_responses.urls"),
        ({"mimeTypes": "image/*"}, "record_responses.mime_types"),
        ({"bodies": True}, "record_responses.bodies"),
    ],
    ids=str,
)
def test_a_bad_wish_is_refused_by_the_name_of_its_field(client: FlaskClient, wanted: Any, field: str) -> None:
    answer = client.post("/api/sessions", json={"record_responses": wanted})
    error = answer.get_json()["error"]

    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "invalid_request", field)
