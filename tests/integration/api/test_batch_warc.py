from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from fleet import keys
from fleet.artifacts.storage import ArtifactStorage
from fleet.models.artifact import Artifact
from fleet.store import Store
from tests.factories import a_manifest
from tests.integration.as_worker import keep_artifact, succeed
from workers.batch_feeder import BatchFeeder, Shares

HTML = "<!doctype html><title>Tïtle</title>".encode()


@pytest.fixture
def artifacts(store: Store, storage: ArtifactStorage) -> list[Artifact]:
    return [
        keep_artifact(store, storage, HTML, kind="html", media_type="text/html"),
        keep_artifact(store, storage, b"picture"),
        keep_artifact(store, storage, b"paper", kind="pdf", media_type="application/pdf"),
    ]


@pytest.fixture
def batch_id(client: FlaskClient, store: Store, artifacts: list[Artifact]) -> str:
    """Of one page, which redirected."""
    answer = client.post("/api/batches", json={"urls": ["http://a.example/old"]})
    found: str = answer.get_json()["batch"]["id"]
    feeder = BatchFeeder(store, Shares(alone=1, beside=1, session_jobs=1), lambda *_: None)
    feeder.feed()
    (held,) = store.batch_items.in_hand(found)
    result = a_manifest(*artifacts, url="http://a.example/old", final_url="http://a.example/new")
    feeder.job_ended(succeed(store, held.job_id, result=result))
    return found


def warc_of(client: FlaskClient, batch_id: str) -> bytes:
    response = client.get(f"/api/batches/{batch_id}/archive?format=warc")
    assert (response.status_code, response.mimetype) == (200, "application/warc")
    content: bytes = response.data
    return content


def records(warc: bytes) -> list[tuple[str, str | None, str, bytes]]:
    """Type, address, media type and content of each."""
    found: list[tuple[str, str | None, str, bytes]] = []
    for record in ArchiveIterator(BytesIO(warc)):
        headers: Any = record.rec_headers
        content = record.content_stream().read()
        found.append((record.rec_type, headers["WARC-Target-URI"], headers["Content-Type"], content))
    return found


def test_the_html_of_a_page_lies_at_its_address(client: FlaskClient, batch_id: str) -> None:
    assert ("resource", "http://a.example/new", "text/html", HTML) in records(warc_of(client, batch_id))


def test_what_shows_a_page_lies_beside_it(client: FlaskClient, batch_id: str) -> None:
    info, _, picture, paper = records(warc_of(client, batch_id))

    assert info[0] == "warcinfo"
    assert batch_id.encode() in info[3]
    assert picture == ("resource", "urn:view:http://a.example/new", "image/png", b"picture")
    assert paper == ("resource", "urn:pdf:http://a.example/new", "application/pdf", b"paper")


def test_records_bear_the_time_of_their_capture(client: FlaskClient, batch_id: str) -> None:
    (item,) = client.get(f"/api/batches/{batch_id}/items").get_json()["items"]
    dates = [record.rec_headers["WARC-Date"] for record in ArchiveIterator(BytesIO(warc_of(client, batch_id)))]

    assert dates[1:] == [item["finished_at"][:19] + "Z"] * 3


def test_what_has_expired_is_left_out(
    client: FlaskClient, store: Store, batch_id: str, artifacts: list[Artifact]
) -> None:
    store.client.delete(keys.artifact(artifacts[0].id))

    assert len(records(warc_of(client, batch_id))) == 3


def test_digests_are_right(
    client: FlaskClient, batch_id: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "batch.warc.gz"
    file.write_bytes(warc_of(client, batch_id))
    checker = Checker(SimpleNamespace(inputs=[str(file)], verbose=True))

    assert checker.process_all() in (0, None)
    assert "fail" not in capsys.readouterr().out


def test_an_archive_of_another_format_is_refused(client: FlaskClient, batch_id: str) -> None:
    assert client.get(f"/api/batches/{batch_id}/archive?format=rar").status_code == 400
