"""The dashboard's pages as they are served. What a browser makes of them: tests/system/test_dashboard.py."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from redis.connection import AbstractConnection

from app.factory import create_app
from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.models.alert import Alert, Severity
from fleet.models.job import JobKind, JobState
from fleet.models.session import EndReason
from fleet.models.worker import TopSession
from fleet.settings import Settings
from fleet.store import Store
from tests.doubles import RecordingQueue
from tests.factories import a_job, a_manifest, a_worker_report, an_artifact
from tests.integration.api.conftest import Json
from tests.integration.as_worker import WORKER, fail, keep_artifact, succeed
from workers.batch_feeder import BatchFeeder, Shares

_PAGES = ["/", "/sessions", "/capture", "/batches", "/gallery", "/jobs", "/workers"]
_HOSTILE = """"><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7 * 7 }}"""
_ROUND_TRIPS = {"/": 8, "/sessions": 2, "/capture": 0, "/batches": 2, "/gallery": 2, "/jobs": 2, "/workers": 2}


def _page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/html"
    return answer.text


def _succeeded_capture(store: Store, storage: ArtifactStorage, client: FlaskClient, **facts: str) -> str:
    job_id: str = client.post("/api/captures", json={"html": "<p>"}).get_json()["job"]["id"]
    picture = keep_artifact(store, storage, b"picture", width=1280, height=720)
    paper = keep_artifact(store, storage, b"paper", kind="pdf", media_type="application/pdf", pages=2)
    succeed(store, job_id, result=a_manifest(picture, paper, **facts))
    return job_id


@pytest.mark.no_worker
@pytest.mark.parametrize("path", _PAGES)
def test_every_page_is_there_while_nothing_is_in_the_fleet(client: FlaskClient, path: str) -> None:
    assert "<h1>" in _page(client, path)


@pytest.mark.no_worker
@pytest.mark.parametrize(
    ("path", "next_step"),
    [
        ("/", "make up"),
        ("/sessions", "Create a session"),
        ("/batches", "Capture a list of addresses"),
        ("/gallery", "Capture a page"),
        ("/jobs", "Capture a page"),
        ("/workers", "make up"),
    ],
)
def test_an_empty_page_says_what_to_do_next(client: FlaskClient, path: str, next_step: str) -> None:
    assert next_step in _page(client, path)


def test_the_overview_shows_the_fleet_against_its_limits_and_its_newest_things(
    client: FlaskClient, store: Store, storage: ArtifactStorage, running_session: str
) -> None:
    _succeeded_capture(store, storage, client, title="The star list")
    page = _page(client, "/")
    assert WORKER in page
    assert running_session in page
    assert "The star list" in page
    assert "no alerts" in page


def test_an_alert_is_shown_with_its_sentence(client: FlaskClient, store: Store) -> None:
    alert = Alert(
        name="memory_high",
        severity=Severity.WARNING,
        worker=WORKER,
        value=9,
        threshold=8,
        since=utc_now(),
        message="Add a worker.",
    )
    store.workers.renew(a_worker_report(alerts=[alert]))
    page = _page(client, "/")
    assert "Memory high" in page
    assert "Add a worker." in page
    assert "no alerts" not in page


def test_a_session_page_has_its_live_view_and_its_controls(client: FlaskClient, running_session: str) -> None:
    page = _page(client, f"/sessions/{running_session}")
    assert f'data-stream="/api/sessions/{running_session}/stream"' in page
    assert f"DELETE /api/sessions/{running_session}" in page
    assert "data-capture-now" in page


def test_a_worker_can_be_drained_unless_it_drains(client: FlaskClient, store: Store) -> None:
    assert f"POST /api/workers/{WORKER.replace('@', '%40')}/drain" in _page(client, "/workers")
    store.workers.renew(a_worker_report(draining=True, admits_sessions=False))
    assert "/drain" not in _page(client, "/workers")


def test_a_worker_shows_that_its_chrome_is_down_and_which_sessions_take_most(client: FlaskClient, store: Store) -> None:
    largest = TopSession(id="ses_largest", memory_bytes=80 * 1024 * 1024, responses=3)
    store.workers.renew(a_worker_report(chrome_up=False, top_sessions=[largest]))
    page = _page(client, "/workers")
    assert "without Chrome" in page
    assert re.search(r'href="/sessions/ses_largest".*80 MB, 3 responses', page)


def test_a_job_page_shows_its_picture_its_pdf_and_where_the_time_went(
    client: FlaskClient, store: Store, storage: ArtifactStorage
) -> None:
    job_id = _succeeded_capture(store, storage, client)
    page = _page(client, f"/jobs/{job_id}")
    assert re.search(r'<img src="/api/artifacts/art_\w+" .*width="1280" height="720"', page)
    assert "2 pages" in page
    assert "Where the time went" in page


def test_a_failed_job_is_shown_with_the_sentence_of_the_api(
    client: FlaskClient, store: Store, accepted_capture: Json
) -> None:
    fail(store, accepted_capture["id"], "connection_refused", "Nobody listens there.")
    page = _page(client, f"/jobs/{accepted_capture['id']}")
    assert "Nobody listens there." in page
    assert "connection_refused" in page


def test_a_job_that_waits_can_be_cancelled_and_a_finished_one_cannot(
    client: FlaskClient, store: Store, accepted_capture: Json
) -> None:
    cancel = f"DELETE /api/jobs/{accepted_capture['id']}"
    assert cancel in _page(client, "/jobs")
    assert cancel in _page(client, f"/jobs/{accepted_capture['id']}")
    succeed(store, accepted_capture["id"], result=a_manifest())
    assert cancel not in _page(client, "/jobs")
    assert cancel not in _page(client, f"/jobs/{accepted_capture['id']}")


def test_what_a_page_calls_itself_is_text_and_never_markup(
    client: FlaskClient, store: Store, storage: ArtifactStorage, running_session: str
) -> None:
    store.sessions.use(running_session, title=_HOSTILE, url=_HOSTILE, metadata=f'{{"team": "{_HOSTILE[2:20]}"}}')
    job_id = _succeeded_capture(store, storage, client, title=_HOSTILE, url=_HOSTILE, final_url=_HOSTILE)
    for path in [*_PAGES, f"/sessions/{running_session}", f"/jobs/{job_id}"]:
        page = _page(client, path)
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert ">49<" not in page, path


def test_an_address_that_is_a_script_is_not_a_link(client: FlaskClient, store: Store, storage: ArtifactStorage) -> None:
    job_id = _succeeded_capture(store, storage, client, final_url="javascript:alert(1)")
    page = _page(client, f"/jobs/{job_id}")
    assert "javascript:alert(1)" in page
    assert 'href="javascript:' not in page


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/sessions/ses_unknown", 404, "session_not_found"),
        ("/jobs/job_unknown", 404, "job_not_found"),
        ("/jobs?cursor=nonsense", 400, "invalid_request"),
        ("/nothing/here", 404, "not_found"),
    ],
)
def test_what_is_not_there_has_a_readable_page(client: FlaskClient, path: str, status: int, code: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert f"<code>{code}</code>" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text


def test_the_page_of_a_session_that_has_ended_says_why(client: FlaskClient, store: Store, running_session: str) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    answer = client.get(f"/sessions/{running_session}")
    assert answer.status_code == 410
    assert "This session has ended" in answer.text
    assert "(deleted)" in answer.text


def test_a_program_gets_json_where_there_is_nothing(client: FlaskClient) -> None:
    assert client.get("/nothing/here", headers={"Accept": "application/json"}).mimetype == "application/json"
    assert client.get("/api/nothing", headers={"Accept": "text/html"}).mimetype == "application/json"


def test_without_the_store_a_page_says_so(client_without_store: FlaskClient) -> None:
    answer = client_without_store.get("/sessions")
    assert answer.status_code == 503
    assert "The store does not answer" in answer.text


@pytest.mark.parametrize("path", [*_PAGES, "/sessions/ses_unknown"])
def test_pages_run_scripts_and_styles_of_their_own_only(client: FlaskClient, path: str) -> None:
    policy = client.get(path).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    page = client.get(path).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    assert not re.search(r'<(?:link|script|img)[^>]*(?:href|src)="(?!/)', page)


def test_a_page_that_looks_as_before_is_not_sent_again(client: FlaskClient, running_session: str) -> None:
    for path in ("/jobs", "/gallery", "/capture"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304, path
        assert again.data == b""


def test_lists_go_on_on_the_next_page(client: FlaskClient, store: Store) -> None:
    for _ in range(30):
        store.jobs.create(a_job(), "{}")
    page = _page(client, "/jobs")
    (cursor,) = re.findall(r'href="/jobs\?cursor=([^"]+)"', page)
    older = _page(client, f"/jobs?cursor={cursor}")
    rows = r'<tr id="(job_\w+)"'
    assert len({*re.findall(rows, page), *re.findall(rows, older)}) == 30
    assert "Newest" in older


def test_the_gallery_leaves_out_pictures_whose_artifact_has_expired(client: FlaskClient, store: Store) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    finished = a_job(state=JobState.SUCCEEDED, finished_at=past, result=a_manifest(an_artifact(expires_at=past)))
    store.jobs.create(finished, "{}")
    assert "No pictures yet" in _page(client, "/gallery")


def test_the_gallery_finds_pictures_behind_jobs_that_have_none(
    client: FlaskClient, store: Store, storage: ArtifactStorage
) -> None:
    _succeeded_capture(store, storage, client, title="The old one")
    for _ in range(150):
        store.jobs.create(a_job(kind=JobKind.SESSION_DELETE), "{}")
    assert "The old one" in _page(client, "/gallery")


def _batch_with_a_picture(client: FlaskClient, store: Store, storage: ArtifactStorage, *, title: str) -> str:
    """The id of one that has ended; the second of its items has failed."""
    urls = ["http://a.example/1", "http://a.example/2"]
    batch_id: str = client.post("/api/batches", json={"urls": urls, "retries": 0}).get_json()["batch"]["id"]
    feeder = BatchFeeder(store, Shares(alone=2, beside=2, session_jobs=1), lambda *_: None)
    feeder.feed()
    first, second = sorted(store.batch_items.in_hand(batch_id), key=lambda held: held.index)
    picture = keep_artifact(store, storage, b"picture", width=1280, height=720)
    feeder.job_ended(succeed(store, first.job_id, result=a_manifest(picture, title=title)))
    feeder.job_ended(fail(store, second.job_id, "navigation_timeout", _HOSTILE))
    return batch_id


def test_a_batch_is_shown_with_its_items_and_what_can_be_done(
    client: FlaskClient, store: Store, storage: ArtifactStorage
) -> None:
    batch_id = _batch_with_a_picture(client, store, storage, title="T")
    page = _page(client, f"/batches/{batch_id}")
    assert "http://a.example/2" in page
    assert "navigation_timeout" in page
    assert f'data-api="POST /api/batches/{batch_id}/retry"' in page
    assert f"/api/batches/{batch_id}/archive" in page
    assert "http://a.example/1" not in _page(client, f"/batches/{batch_id}?state=failed")
    assert batch_id in _page(client, "/batches")


def test_a_batch_that_runs_can_be_held_and_cancelled(client: FlaskClient) -> None:
    batch_id = client.post("/api/batches", json={"urls": ["http://a.example/"]}).get_json()["batch"]["id"]
    page = _page(client, f"/batches/{batch_id}")
    assert f'data-api="POST /api/batches/{batch_id}/pause"' in page
    assert f'data-api="DELETE /api/batches/{batch_id}"' in page


def test_the_gallery_of_a_batch_shows_its_pictures(client: FlaskClient, store: Store, storage: ArtifactStorage) -> None:
    batch_id = _batch_with_a_picture(client, store, storage, title="The star list")
    assert "The star list" in _page(client, f"/gallery?batch={batch_id}")
    assert "The star list" not in _page(client, "/gallery")


def test_words_of_others_in_a_batch_are_words(client: FlaskClient, store: Store, storage: ArtifactStorage) -> None:
    batch_id = _batch_with_a_picture(client, store, storage, title=_HOSTILE)
    for path in (f"/batches/{batch_id}", f"/gallery?batch={batch_id}"):
        assert "<script>alert" not in _page(client, path)
        assert "<img src=x" not in _page(client, path)


@pytest.mark.parametrize("path", ["/batches/bat_x", "/gallery?batch=bat_x"])
def test_a_page_of_a_batch_that_is_not_there_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "batch_not_found" in answer.text


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ({}, "http://127.0.0.1:5555"),
        ({"flower_bind": "0.0.0.0:5555"}, None),
        ({"flower_bind": "0.0.0.0:5555", "flower_url": "https://flower.example/"}, "https://flower.example/"),
    ],
)
def test_flower_is_linked_where_people_reach_it(settings: Settings, given: dict[str, str], link: str | None) -> None:
    app = create_app(settings.model_copy(update=given), queue=RecordingQueue())
    linked = re.findall(r'<a href="([^"]+)"[^>]*>Flower<', _page(app.test_client(), "/capture"))
    assert linked == ([link] if link else [])


@pytest.fixture
def round_trips(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often Redis has been asked since."""
    sent = 0
    send: Callable[..., object] = AbstractConnection.send_packed_command

    def counted(connection: AbstractConnection, *args: object, **options: object) -> object:
        nonlocal sent
        sent += 1
        return send(connection, *args, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    return lambda: sent


@pytest.mark.parametrize("path", _PAGES)
def test_a_page_asks_redis_a_few_times_however_much_there_is(
    client: FlaskClient,
    store: Store,
    queue: RecordingQueue,
    round_trips: Callable[[], int],
    path: str,
) -> None:
    for _ in range(20):
        client.post("/api/sessions")
    for number in range(5):
        store.workers.renew(a_worker_report(name=f"worker-{number}@test"))
    _page(client, path)
    before = round_trips()
    _page(client, path)
    assert round_trips() - before <= _ROUND_TRIPS[path]
