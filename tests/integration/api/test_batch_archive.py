import json
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
from flask.testing import FlaskClient

from app.services import archive_gallery
from fleet import keys
from fleet.artifacts.storage import ArtifactStorage
from fleet.models.artifact import Artifact
from fleet.store import Store
from tests.factories import a_manifest
from tests.integration.as_worker import fail, keep_artifact, succeed
from workers.batch_feeder import BatchFeeder, Shares

PNG = b"not quite a PNG"
Yield = Callable[[str], list[Artifact]]


def run(client: FlaskClient, store: Store, items: list[dict[str, str]], artifacts: Yield, *, title: str = "T") -> str:
    """The id of a batch that has ended; items fail that yield nothing."""
    answer = client.post("/api/batches", json={"items": items, "deduplicate": False})
    batch_id: str = answer.get_json()["batch"]["id"]
    feeder = BatchFeeder(store, Shares(alone=4, beside=4, session_jobs=1), lambda *_: None)
    feeder.feed()
    while held := store.batch_items.in_hand(batch_id):
        url = json.loads(store.jobs.request(held[0].job_id) or "{}")["url"]
        found = artifacts(url)
        if found:
            ended = succeed(store, held[0].job_id, result=a_manifest(*found, url=url, final_url=url, title=title))
        else:
            ended = fail(store, held[0].job_id, "selector_not_found", "Nothing <there>.")
        feeder.job_ended(ended)
    return batch_id


def archive_of(client: FlaskClient, batch_id: str) -> ZipFile:
    response = client.get(f"/api/batches/{batch_id}/archive")
    assert (response.status_code, response.mimetype) == (200, "application/zip")
    archive = ZipFile(BytesIO(response.data))
    assert archive.testzip() is None
    return archive


def manifest_of(archive: ZipFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]


@pytest.fixture
def picture(store: Store, storage: ArtifactStorage) -> Yield:
    return lambda _url: [keep_artifact(store, storage, PNG, width=8, height=5)]


def test_files_have_names_that_can_be_read(client: FlaskClient, store: Store, storage: ArtifactStorage) -> None:
    def several(_url: str) -> list[Artifact]:
        html = {"kind": "html", "media_type": "text/html"}
        return [
            keep_artifact(store, storage, PNG),
            keep_artifact(store, storage, PNG),
            keep_artifact(store, storage, b"<p>", **html),
        ]

    items = [{"url": "http://a.example/docs/ä?page=2"}, {"url": "http://b.example/", "id": "../front page"}]
    archive = archive_of(client, run(client, store, items, several))

    assert sorted(archive.namelist()) == [
        "captures/0001-a.example-docs-page-2-2.png",
        "captures/0001-a.example-docs-page-2.html",
        "captures/0001-a.example-docs-page-2.png",
        "captures/0002-front-page-2.png",
        "captures/0002-front-page.html",
        "captures/0002-front-page.png",
        "index.html",
        "manifest.jsonl",
    ]


def test_files_are_what_was_captured(client: FlaskClient, store: Store, picture: Yield) -> None:
    archive = archive_of(client, run(client, store, [{"url": "http://a.example/"}], picture))

    assert archive.read("captures/0001-a.example.png") == PNG


def test_pictures_are_stored_as_they_are_and_text_is_compressed(
    client: FlaskClient, store: Store, picture: Yield
) -> None:
    archive = archive_of(client, run(client, store, [{"url": "http://a.example/"}], picture))

    assert archive.getinfo("captures/0001-a.example.png").compress_type == ZIP_STORED
    assert archive.getinfo("manifest.jsonl").compress_type == ZIP_DEFLATED


def test_the_manifest_has_a_line_for_each_item(client: FlaskClient, store: Store, picture: Yield) -> None:
    items = [{"url": "http://a.example/", "id": "one"}, {"url": "http://b.example/"}]
    batch_id = run(client, store, items, lambda url: picture(url) if "a.example" in url else [])
    archive = archive_of(client, batch_id)
    first, second = manifest_of(archive)

    assert (first["index"], first["id"], first["state"], first["title"]) == (0, "one", "succeeded", "T")
    assert (second["state"], second["artifacts"]) == ("failed", [])
    assert second["error"] == {"code": "selector_not_found", "message": "Nothing <there>."}
    (artifact,) = first["artifacts"]
    assert archive.read(artifact["file"]) == PNG
    assert artifact["bytes"] == len(PNG)


def test_what_has_expired_is_in_the_manifest_alone(client: FlaskClient, store: Store, picture: Yield) -> None:
    batch_id = run(client, store, [{"url": "http://a.example/"}], picture)
    (item,) = client.get(f"/api/batches/{batch_id}/items").get_json()["items"]
    store.client.delete(keys.artifact(item["artifacts"][0]["id"]))
    archive = archive_of(client, batch_id)

    assert archive.namelist() == ["manifest.jsonl", "index.html"]
    assert manifest_of(archive)[0]["state"] == "succeeded"


def test_the_gallery_shows_each_picture(client: FlaskClient, store: Store, picture: Yield) -> None:
    items = [{"url": "http://a.example/"}, {"url": "http://b.example/"}]
    archive = archive_of(client, run(client, store, items, picture, title="<script>alert(1)</script>"))
    page = archive.read("index.html").decode()

    assert re.findall(r'<img src="([^"]+)"', page) == ["captures/0001-a.example.png", "captures/0002-b.example.png"]
    assert "<script>" not in page


def test_the_gallery_says_why_an_item_has_no_picture(client: FlaskClient, store: Store) -> None:
    page = archive_of(client, run(client, store, [{"url": "http://a.example/"}], lambda _url: [])).read("index.html")

    assert b"Nothing &lt;there&gt;. (selector_not_found)" in page


def test_a_long_gallery_has_several_pages(
    client: FlaskClient, store: Store, picture: Yield, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_gallery, "_ON_A_PAGE", 2)
    items = [{"url": f"http://a.example/{number}"} for number in range(5)]
    archive = archive_of(client, run(client, store, items, picture))
    pages = [name for name in archive.namelist() if name.endswith(".html")]
    shown = [name for page in pages for name in re.findall(rb'<img src="([^"]+)"', archive.read(page))]

    assert pages == ["index.html", "gallery-2.html", "gallery-3.html"]
    assert len(set(shown)) == 5
    assert b'href="gallery-3.html"' in archive.read("index.html")


def test_a_batch_that_runs_has_an_archive_of_what_there_is(client: FlaskClient) -> None:
    batch_id = client.post("/api/batches", json={"urls": ["http://a.example/"]}).get_json()["batch"]["id"]

    assert [line["state"] for line in manifest_of(archive_of(client, batch_id))] == ["queued"]
