from datetime import datetime, timedelta

import httpx
import pytest
from flask.testing import FlaskClient

from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.as_worker import keep_artifact
from tests.integration.s3_server import BUCKET, S3Server


@pytest.fixture
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    if "own_s3" in request.fixturenames:
        request.getfixturevalue("own_s3")
        return settings.model_copy(update={"artifacts_url": f"s3://{BUCKET}/own"})
    if "s3_url" in request.fixturenames:
        return settings.model_copy(update={"artifacts_url": request.getfixturevalue("s3_url")})
    return settings


def test_of_a_folder_it_is_the_path_of_the_bytes(client: FlaskClient, store: Store, storage: ArtifactStorage) -> None:
    artifact = keep_artifact(store, storage, b"bytes")
    answer = client.get(f"{artifact.url}/link")

    assert answer.status_code == 200
    assert answer.get_json()["url"] == artifact.url
    assert datetime.fromisoformat(answer.get_json()["expires_at"]) == artifact.expires_at


@pytest.mark.usefixtures("s3_url")
def test_of_a_bucket_it_gives_the_bytes_past_the_api(
    client: FlaskClient, store: Store, storage: ArtifactStorage
) -> None:
    artifact = keep_artifact(store, storage, b"bytes")
    link = client.get(f"{artifact.url}/link").get_json()
    got = httpx.get(link["url"], trust_env=False)

    assert (got.content, got.headers["Content-Type"]) == (b"bytes", "image/png")


@pytest.mark.usefixtures("s3_url")
@pytest.mark.parametrize(("lives", "valid"), [(timedelta(days=1), 900), (timedelta(seconds=100), 100)])
def test_of_a_bucket_it_ends_after_a_quarter_of_an_hour_or_with_its_artifact(
    client: FlaskClient, store: Store, storage: ArtifactStorage, lives: timedelta, valid: int
) -> None:
    artifact = keep_artifact(store, storage, b"bytes", expires_at=utc_now() + lives)
    link = client.get(f"{artifact.url}/link").get_json()

    assert datetime.fromisoformat(link["expires_at"]) <= utc_now() + timedelta(seconds=valid)
    assert 0 < int(link["url"].partition("X-Amz-Expires=")[2].partition("&")[0]) <= valid


def test_of_an_artifact_that_never_was_there_is_none(client: FlaskClient) -> None:
    answer = client.get(f"/api/artifacts/{new_id('art')}/link")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "artifact_not_found")


def test_while_the_store_is_down_the_bytes_are_unavailable_and_not_gone(
    client: FlaskClient, store: Store, own_s3: S3Server, storage: ArtifactStorage
) -> None:
    artifact = keep_artifact(store, storage, b"bytes")
    own_s3.stop()
    answer = client.get(artifact.url, buffered=True)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "storage_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
