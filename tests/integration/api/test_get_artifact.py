import hashlib
import warnings
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.artifact import Artifact
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.as_worker import keep_artifact

_CONTENT = b"0123456789" * 10


@pytest.fixture(params=["folder", "s3"])
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Of both kinds of storage."""
    if request.param == "folder":
        return settings
    return settings.model_copy(update={"artifacts_url": request.getfixturevalue("s3_url")})


@pytest.fixture
def artifact(store: Store, storage: ArtifactStorage) -> Artifact:
    return keep_artifact(store, storage, _CONTENT)


def test_the_bytes_are_those_that_were_stored(client: FlaskClient, artifact: Artifact) -> None:
    answer = client.get(artifact.url, buffered=True)

    assert (answer.status_code, answer.data, answer.mimetype) == (200, _CONTENT, "image/png")
    assert answer.content_length == len(_CONTENT)


def test_the_etag_is_the_sha256_of_the_bytes(client: FlaskClient, artifact: Artifact) -> None:
    assert client.get(artifact.url, buffered=True).get_etag() == (hashlib.sha256(_CONTENT).hexdigest(), False)


def test_who_has_the_bytes_already_gets_none(client: FlaskClient, artifact: Artifact) -> None:
    answer = client.get(artifact.url, buffered=True, headers={"If-None-Match": f'"{artifact.sha256}"'})

    assert (answer.status_code, answer.data) == (304, b"")


def test_who_has_other_bytes_gets_these(client: FlaskClient, artifact: Artifact) -> None:
    answer = client.get(artifact.url, buffered=True, headers={"If-None-Match": '"another"'})

    assert (answer.status_code, answer.data) == (200, _CONTENT)


@pytest.mark.parametrize(
    ("asked", "answered", "content"),
    [
        ("bytes=0-9", "bytes 0-9/100", _CONTENT[:10]),
        ("bytes=95-", "bytes 95-99/100", _CONTENT[95:]),
        ("bytes=-3", "bytes 97-99/100", _CONTENT[-3:]),
        ("bytes=90-1000", "bytes 90-99/100", _CONTENT[90:]),
    ],
)
def test_a_range_is_answered_with_that_part(
    client: FlaskClient, artifact: Artifact, asked: str, answered: str, content: bytes
) -> None:
    answer = client.get(artifact.url, buffered=True, headers={"Range": asked})

    assert (answer.status_code, answer.headers["Content-Range"], answer.data) == (206, answered, content)
    assert answer.content_length == len(content)


def test_a_range_behind_the_end_is_refused(client: FlaskClient, artifact: Artifact) -> None:
    answer = client.get(artifact.url, buffered=True, headers={"Range": "bytes=100-"})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (416, "range_not_satisfiable")


def test_a_refused_range_says_how_much_there_is(client: FlaskClient, artifact: Artifact) -> None:
    answer = client.get(artifact.url, buffered=True, headers={"Range": "bytes=100-"})

    assert answer.headers["Content-Range"] == "bytes */100"


def test_a_refused_range_leaves_no_stream_to_the_garbage_collector(client: FlaskClient, artifact: Artifact) -> None:
    with warnings.catch_warnings(record=True) as leaks:
        warnings.simplefilter("always", ResourceWarning)
        client.get(artifact.url, headers={"Range": "bytes=100-"}, buffered=True)

    assert [str(leak.message) for leak in leaks] == []


def test_a_range_of_changed_bytes_is_answered_with_all_of_them(client: FlaskClient, artifact: Artifact) -> None:
    answer = client.get(artifact.url, buffered=True, headers={"Range": "bytes=0-9", "If-Range": '"another"'})

    assert (answer.status_code, answer.data) == (200, _CONTENT)


def test_ranges_are_offered(client: FlaskClient, artifact: Artifact) -> None:
    assert client.get(artifact.url, buffered=True).headers["Accept-Ranges"] == "bytes"


def test_the_head_of_an_artifact_has_no_bytes(client: FlaskClient, artifact: Artifact) -> None:
    answer = client.head(artifact.url, buffered=True)

    assert (answer.status_code, answer.data, answer.content_length) == (200, b"", len(_CONTENT))


@pytest.mark.parametrize(
    ("media_type", "header"),
    [
        ("image/png", "inline; filename=screenshot-aaaaaaaa.png"),
        ("image/jpeg", "inline; filename=screenshot-aaaaaaaa.jpg"),
        ("image/webp", "inline; filename=screenshot-aaaaaaaa.webp"),
        ("application/pdf", "inline; filename=screenshot-aaaaaaaa.pdf"),
        ("text/html", "attachment; filename=screenshot-aaaaaaaa.html"),
    ],
)
def test_an_artifact_has_a_file_name_and_only_html_must_be_saved(
    client: FlaskClient, store: Store, storage: ArtifactStorage, media_type: str, header: str
) -> None:
    artifact = keep_artifact(store, storage, b"x", id="art_" + "a" * 32, media_type=media_type)

    assert client.get(artifact.url, buffered=True).headers["Content-Disposition"] == header


def test_no_browser_may_guess_another_type(client: FlaskClient, artifact: Artifact) -> None:
    assert client.get(artifact.url, buffered=True).headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("artifact_id", [new_id("art"), "art_short", "%7B*%7D", "x" * 500, "..%2f..%2fetc%2fpasswd"])
def test_an_artifact_that_never_was_is_not_found(client: FlaskClient, artifact_id: str) -> None:
    answer = client.get(f"/api/artifacts/{artifact_id}")

    assert answer.status_code == 404
    assert answer.get_json()["error"]["code"] in {"artifact_not_found", "not_found"}


def test_an_artifact_whose_bytes_were_swept_is_not_found(
    client: FlaskClient, artifact: Artifact, storage: ArtifactStorage
) -> None:
    while storage.sweep(utc_now() + timedelta(days=2)):
        pass
    answer = client.get(artifact.url, buffered=True)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "artifact_not_found")


def test_an_artifact_whose_record_has_expired_is_not_found(
    client: FlaskClient, artifact: Artifact, store: Store
) -> None:
    store.client.flushall()

    assert client.get(artifact.url, buffered=True).status_code == 404
