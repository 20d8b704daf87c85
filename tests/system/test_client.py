"""What programs do with the Python client: the one package of ours that users import, and so do these tests."""

import asyncio
import gzip
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin
from zipfile import ZipFile

import httpx
import pytest

from fleet_client import AsyncFleetClient, FleetClient, NotFound, PageError, RequestRefused, StillRunning
from tests.polling import eventually
from tests.system.conftest import RunningFleet

_ADA = {"username": "ada", "password": "lovelace"}


@pytest.fixture
def client(fleet: RunningFleet) -> Iterator[FleetClient]:
    with FleetClient(fleet.url) as client:
        yield client


def test_a_capture_with_its_files(client: FleetClient, site: str, tmp_path: Path) -> None:
    job = client.capture(f"{site}/article", outputs=[{"kind": "screenshot", "full_page": True}, {"kind": "pdf"}])
    png, pdf = job.artifacts
    path = client.download(png, tmp_path / "page.png")

    assert job.result is not None
    assert job.result.status == 200
    assert path.stat().st_size == png.bytes
    assert client.read(pdf).startswith(b"%PDF-")


def test_captures_side_by_side_from_an_event_loop(fleet: RunningFleet, site: str) -> None:
    async def titles() -> list[str]:
        async with AsyncFleetClient(fleet.url) as client:
            pages = [f"{site}/article", f"{site}/table", f"{site}/gallery"]
            jobs = await asyncio.gather(*(client.capture(page, outputs=[{"kind": "html"}]) for page in pages))
            return [job.result.title for job in jobs if job.result]

    assert len(set(asyncio.run(titles()))) == 3


def test_the_error_of_a_page_has_its_code_and_its_job(client: FleetClient) -> None:
    with pytest.raises(PageError) as failed:
        client.capture("http://nowhere.invalid/")

    assert failed.value.code == "name_not_resolved"
    assert failed.value.request_id is not None
    assert failed.value.job is not None
    assert client.job(failed.value.job.id).state == "failed"


def test_the_error_of_a_request_names_the_field(client: FleetClient) -> None:
    with pytest.raises(RequestRefused) as refused:
        client.capture("https://example.org/", outptus=[])

    assert refused.value.code == "invalid_request"
    assert refused.value.details["field"] == "outptus"


def test_a_job_that_takes_longer_than_the_caller_waits_goes_on(client: FleetClient) -> None:
    begun = time.monotonic()
    with pytest.raises(StillRunning) as left:
        client.capture(html="<h1>slow</h1>", wait_for_timeout=4000, wait=0.5)

    assert time.monotonic() - begun >= 0.5
    assert client.wait_for(left.value.job.id).state == "succeeded"


def test_one_key_makes_one_job(client: FleetClient) -> None:
    first, second = (client.submit(html="<h1>once</h1>", idempotency_key="one-and-the-same") for _ in range(2))

    assert first.id == second.id


def test_a_session_keeps_its_page_until_it_is_closed(client: FleetClient, site: str) -> None:
    session = client.create_session(url=f"{site}/article", metadata={"who": "ada"})
    job = client.capture(session_id=session.id, outputs=[{"kind": "html"}])

    assert b"refractor" in client.read(job.artifacts[0])
    assert client.update_session(session.id, ttl=300).ttl <= 300
    assert session.id in {one.id for one in client.sessions()}
    client.close_session(session.id)
    with pytest.raises(NotFound) as gone:
        client.session(session.id)
    assert gone.value.details["end_reason"] == "deleted"


def test_a_session_is_seeded_with_what_another_one_left(client: FleetClient, site: str) -> None:
    first = client.create_session(url=f"{site}/login")
    fill = [{"kind": "fill", "selector": f"[name={name}]", "value": value} for name, value in _ADA.items()]
    submit = {"kind": "click", "selector": "button"}
    client.capture(session_id=first.id, actions=[*fill, submit])
    second = client.create_session(storage_state=client.storage_state(first.id))
    job = client.capture(f"{site}/account", session_id=second.id)

    assert job.result is not None
    assert job.result.final_url == f"{site}/account"


def test_what_a_sessions_pages_received_is_read(client: FleetClient, site: str) -> None:
    session = client.create_session(url=f"{site}/article", record_responses=True)
    (page,) = eventually(lambda: list(client.responses(session.id, resource_type="document", status="2xx")), 60)

    assert page.request.url == f"{site}/article"
    assert client.response(session.id, page.id) == page
    body = client.read_response(session.id, page.id)
    assert hashlib.sha256(body).hexdigest() == page.body_sha256
    assert b"refractor" in body
    assert client.delete_responses(session.id) >= 1
    with pytest.raises(NotFound):
        client.read_response(session.id, page.id)


def test_a_script_runs_in_a_session_until_it_is_removed(client: FleetClient, site: str) -> None:
    session = client.create_session(scripts=["window.first = 1"])
    added = client.add_script(session.id, "addEventListener('load', () => { document.title = 'scripted' })")
    assert [script.source for script in client.scripts(session.id)] == ["window.first = 1", added.source]
    job = client.capture(f"{site}/article", session_id=session.id)
    assert job.result is not None
    assert job.result.title == "scripted"

    client.remove_script(session.id, added.id)
    job = client.capture(f"{site}/article", session_id=session.id)
    assert job.result is not None
    assert job.result.title != "scripted"


def test_links_lead_to_what_they_are_for(client: FleetClient, fleet: RunningFleet) -> None:
    job = client.capture(html="<h1>linked</h1>", outputs=[{"kind": "html"}])
    session = client.create_session()

    assert b"linked" in httpx.get(urljoin(fleet.url, client.artifact_link(job.artifacts[0]).url)).content
    assert httpx.get(client.create_view_link(session.id, ttl=60).url).status_code == 200


def test_the_workers_of_the_fleet_are_told(client: FleetClient) -> None:
    (worker,) = client.workers()

    assert worker.chrome_up
    assert [one.name for one in client.status().workers] == [worker.name]


def test_all_of_a_batch_is_a_zip_or_a_warc(client: FleetClient, site: str, tmp_path: Path) -> None:
    batch = client.create_batch([f"{site}/article"], capture={"outputs": [{"kind": "html"}]})
    eventually(lambda: client.batch(batch.id).has_ended, 120)

    with ZipFile(client.download_archive(batch.id, tmp_path / "all.zip")) as archive:
        assert {"manifest.jsonl", "index.html"} <= set(archive.namelist())
    with gzip.open(client.download_archive(batch.id, tmp_path / "all.warc.gz", format="warc")) as warc:
        assert warc.readline() == b"WARC/1.1\r\n"


def test_a_batch_from_its_urls_to_its_items(client: FleetClient, site: str) -> None:
    batch = client.create_batch(
        [f"{site}/article", {"url": f"{site}/table", "id": "stars"}], capture={"outputs": [{"kind": "html"}]}
    )
    eventually(lambda: client.batch(batch.id).has_ended, 120)
    items = list(client.batch_items(batch.id))

    assert [item.id for item in items] == [None, "stars"]
    assert all(client.read(item.artifacts[0]) for item in items)
    assert batch.id in {one.id for one in client.batches()}
