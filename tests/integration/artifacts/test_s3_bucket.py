"""What a bucket promises beyond what every storage does."""

import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from fleet.artifacts.s3_bucket import S3Bucket
from fleet.artifacts.storage import ArtifactStorage, open_storage
from fleet.errors import StorageUnavailable
from tests.integration.redis_server import free_port
from tests.integration.s3_server import BUCKET, SECRET_KEY, S3Server

_EXPIRY = datetime(2030, 1, 2, 10, 59, tzinfo=UTC)


@pytest.fixture
def storage(s3_url: str) -> ArtifactStorage:
    return open_storage(s3_url)


def put(storage: ArtifactStorage, content: bytes = b"bytes", *, media_type: str = "image/png") -> str:
    digest = hashlib.sha256(content).hexdigest()
    return storage.put(content, sha256=digest, media_type=media_type, expires_at=_EXPIRY)


def requests_of(server: S3Server, prefix: str) -> list[str]:
    return [request for request in server.requests if prefix in request]


def test_equal_bytes_are_sent_once(storage: ArtifactStorage, shared_s3: S3Server, s3_url: str) -> None:
    put(storage)
    put(storage)

    sent = [request.partition(" ")[0] for request in requests_of(shared_s3, s3_url.rpartition("/")[2])]
    assert sent == ["HEAD", "PUT", "HEAD"]


def test_a_bucket_without_a_prefix_is_one(shared_s3: S3Server, s3_url: str) -> None:
    location = put(open_storage(f"s3://{BUCKET}"), b"at the root")

    assert location in shared_s3.objects()


def test_a_sweep_lists_no_hour_that_has_not_passed(storage: ArtifactStorage, shared_s3: S3Server, s3_url: str) -> None:
    put(storage)
    storage.sweep(_EXPIRY)

    listed = [request for request in requests_of(shared_s3, s3_url.rpartition("/")[2]) if "list-type" in request]
    assert len(listed) == 1
    assert "delimiter" in listed[0]


def test_a_link_gives_whoever_has_it_the_bytes_with_their_type(storage: ArtifactStorage) -> None:
    link = storage.link(put(storage), valid_for=timedelta(minutes=1))
    assert link is not None
    answer = httpx.get(link, trust_env=False)

    assert (answer.content, answer.headers["Content-Type"]) == (b"bytes", "image/png")
    assert "X-Amz-Expires=60" in link
    assert SECRET_KEY not in link


def test_a_link_to_html_saves_it(storage: ArtifactStorage) -> None:
    link = storage.link(put(storage, b"<p>", media_type="text/html"), valid_for=timedelta(minutes=1))
    assert link is not None

    assert httpx.get(link, trust_env=False).headers["Content-Disposition"] == "attachment"


def test_a_store_that_is_down_is_an_unavailable_storage_until_it_is_back(own_s3: S3Server) -> None:
    storage = open_storage(f"s3://{BUCKET}/here")
    location = put(storage)
    own_s3.stop()
    for use in (put, lambda it: it.open(location), lambda it: it.sweep(_EXPIRY), lambda it: it.check()):
        with pytest.raises(StorageUnavailable, match="it does not answer") as refused:
            use(storage)
        assert refused.value.retry_after > 0
    own_s3.start()
    storage.check()

    assert put(storage) == location


def test_a_store_that_goes_down_under_a_reader_is_noticed_by_it(own_s3: S3Server) -> None:
    storage = open_storage(f"s3://{BUCKET}/here")
    stream = storage.open(put(storage, bytes(3_000_000)))
    assert stream is not None
    with stream:
        assert len(stream.read(1_000)) == 1_000
        own_s3.stop()
        with pytest.raises(StorageUnavailable):
            stream.read()


@pytest.mark.usefixtures("s3_url")
def test_a_bucket_that_there_is_not_is_an_unavailable_storage() -> None:
    with pytest.raises(StorageUnavailable, match="404 Not Found, NoSuchBucket"):
        S3Bucket("never-made", "").check()


@pytest.mark.usefixtures("s3_url")
def test_a_fleet_without_credentials_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageUnavailable, match="no AWS_ variables with credentials"):
        S3Bucket(BUCKET, "").check()


@pytest.mark.usefixtures("s3_url")
def test_a_failure_tells_neither_keys_nor_addresses(shared_s3: S3Server) -> None:
    with pytest.raises(StorageUnavailable) as refused:
        S3Bucket("never-made", "pre/fix").check()
    told = f"{refused.value.message} {refused.value.details}"

    assert [secret for secret in (SECRET_KEY, "AKIATEST", shared_s3.endpoint, "never-made") if secret in told] == []
