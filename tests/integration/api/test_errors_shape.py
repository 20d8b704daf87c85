from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from structlog.typing import EventDict
from werkzeug.test import TestResponse

from app.factory import create_app
from fleet.artifacts.local_folder import LocalFolder
from fleet.ids import is_id
from fleet.settings import Settings
from fleet.store import Store, open_store
from tests.doubles import RecordingQueue
from tests.integration.as_worker import keep_artifact

_JSON = "application/json"


@dataclass(frozen=True)
class Defect:
    """The answer to a request that met a defect, and what was logged of it."""

    answer: TestResponse
    logged: list[EventDict]


class DefectiveFolder(LocalFolder):
    """Storage with a defect: it fails with what no part of the API expects."""

    def open(self, location: str) -> BinaryIO | None:
        raise RuntimeError(f"secret of the inside: {location}")


@pytest.fixture
def small_client(settings: Settings) -> Iterator[FlaskClient]:
    """Of an API that takes bodies of 1 KiB."""
    store = open_store(settings, retries=0)
    small = settings.model_copy(update={"body_limit_bytes": 1024})
    yield create_app(small, store=store, queue=RecordingQueue()).test_client()
    store.client.close()


@pytest.fixture
def defect(settings: Settings, store: Store, tmp_path: Path) -> Defect:
    storage = DefectiveFolder(tmp_path)
    client = create_app(settings, store=store, queue=RecordingQueue(), storage=storage).test_client()
    with capture_logs() as logged:
        answer = client.get(keep_artifact(store, storage, b"bytes").url)
    return Defect(answer, logged)


def has_the_shape(answer: TestResponse, status: int, code: str) -> bool:
    """The status, the code, and the four parts that every error has."""
    error = answer.get_json()["error"]
    return (
        (answer.status_code, error["code"]) == (status, code)
        and list(answer.get_json()) == ["error"]
        and list(error) == ["code", "message", "details", "request_id"]
        and bool(error["message"])
        and isinstance(error["details"], dict)
        and error["request_id"] == answer.headers["X-Request-Id"]
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'html': 1}",
        b"html",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"html": "\xff"}',
        b"[" * 100_000,
        b'{"timeout": ' + b"9" * 5000 + b"}",
    ],
    ids=["cut off", "quotes", "word", "nan", "infinity", "not utf-8", "nested", "long number"],
)
def test_a_body_that_is_not_json_is_an_invalid_json(client: FlaskClient, body: bytes) -> None:
    assert has_the_shape(client.post("/api/captures", data=body, content_type=_JSON), 400, "invalid_json")


@pytest.mark.parametrize("body", ["[]", "[1]", "null", "3", "true", '"{}"'])
def test_a_body_that_is_no_object_is_an_invalid_json(client: FlaskClient, body: str) -> None:
    assert has_the_shape(client.post("/api/captures", data=body, content_type=_JSON), 400, "invalid_json")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_not_declared_as_json_is_refused(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/api/captures", data='{"html": ""}', content_type=content_type)

    assert has_the_shape(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.fleet+json"])
def test_json_may_be_declared_in_more_than_one_way(client: FlaskClient, content_type: str) -> None:
    assert client.post("/api/captures", data='{"html": ""}', content_type=content_type).status_code == 202


@pytest.mark.parametrize("path", ["/api/captures", "/api/sessions"])
def test_a_body_that_is_too_large_is_refused(small_client: FlaskClient, path: str) -> None:
    body = '{"html": "' + "x" * 1024 + '"}'

    assert has_the_shape(small_client.post(path, data=body, content_type=_JSON), 413, "body_too_large")


def test_a_body_of_the_largest_size_is_taken(small_client: FlaskClient) -> None:
    body = '{"html": "' + "x" * 1012 + '"}'

    assert len(body) == 1024
    assert small_client.post("/api/captures", data=body, content_type=_JSON).status_code == 202


@pytest.mark.parametrize("path", ["/nowhere", "/api", "/api/jobs/a/b", "/api/sessions/", "//api/nowhere"])
def test_a_path_that_does_not_exist_is_not_found(client: FlaskClient, path: str) -> None:
    assert has_the_shape(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/jobs"), ("GET", "/api/captures"), ("PATCH", "/api/artifacts/art_1")]
)
def test_a_method_that_a_path_does_not_take_is_refused(client: FlaskClient, method: str, path: str) -> None:
    assert has_the_shape(client.open(path, method=method), 405, "method_not_allowed")


def test_a_refused_method_comes_with_those_allowed(client: FlaskClient) -> None:
    assert set(client.get("/api/captures").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_request_id_is_taken_and_returned(client: FlaskClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-Id": "trace-1/a:b+c=_."})

    assert answer.headers["X-Request-Id"] == "trace-1/a:b+c=_."


def test_a_request_without_an_id_is_given_one(client: FlaskClient) -> None:
    given = [client.get("/healthz").headers["X-Request-Id"] for _ in range(2)]

    assert [is_id(request_id, "req") for request_id in given] == [True, True]
    assert given[0] != given[1]


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "ü", '"quoted"', "<script>"])
def test_a_request_id_of_another_shape_is_replaced(client: FlaskClient, request_id: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-Id": request_id.encode().decode("latin-1")})

    assert is_id(answer.headers["X-Request-Id"], "req")


def test_an_error_carries_the_id_that_the_client_gave(client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers={"X-Request-Id": "trace-1"})

    assert answer.get_json()["error"]["request_id"] == "trace-1"


def test_a_defect_is_an_internal_error(defect: Defect) -> None:
    assert has_the_shape(defect.answer, 500, "internal_error")


def test_a_defect_shows_nothing_of_the_inside(defect: Defect) -> None:
    assert "secret of the inside" not in defect.answer.text
    assert "Traceback" not in defect.answer.text


def test_the_log_has_the_cause_of_a_defect(defect: Defect) -> None:
    (line,) = [line for line in defect.logged if line["log_level"] == "error"]

    assert "secret of the inside" in str(line["exc_info"])
