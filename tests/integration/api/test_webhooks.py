from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from app.factory import create_app
from fleet import keys
from fleet.models.webhook import WebhookEvent
from fleet.settings import Settings
from fleet.store import Store
from tests.doubles import RecordingQueue
from tests.factories import a_worker_report
from tests.integration.as_worker import succeed

URL = "https://a.example/hook"


@pytest.fixture
def signing(settings: Settings, store: Store, queue: RecordingQueue) -> FlaskClient:
    """An API whose operator has set a secret."""
    store.workers.renew(a_worker_report())
    with_secret = settings.model_copy(update={"webhook_secrets": SecretStr("a secret of webhooks")})
    return create_app(with_secret, store=store, queue=queue).test_client()


def expected(store: Store) -> set[str]:
    found: list[str] = store.client.zrange(keys.WEBHOOKS_EXPECTED, 0, -1)  # type: ignore[assignment]  # no awaitable
    return set(found)


def end_of(signing: FlaskClient, store: Store) -> str:
    """The id of a job that has ended, with a webhook that is due."""
    job_id: str = signing.post("/api/captures", json={"html": "<p>", "webhook_url": URL}).get_json()["job"]["id"]
    succeed(store, job_id)
    (one,) = store.webhooks.to_look_at(limit=10)
    store.webhooks.make(one, "{}")
    return job_id


def test_what_is_accepted_with_a_url_is_expected_to_end(signing: FlaskClient, store: Store) -> None:
    body = {"html": "<p>", "webhook_url": URL}
    job = signing.post("/api/captures", json=body).get_json()["job"]
    session = signing.post("/api/sessions", json={"webhook_url": URL}).get_json()["session"]
    in_session = signing.post(f"/api/sessions/{session['id']}/captures", json=body).get_json()["job"]
    batch = signing.post("/api/batches", json={"urls": ["http://a.example/"], "webhook_url": URL}).get_json()["batch"]
    listed = signing.post(
        "/api/batches", query_string={"webhook_url": URL}, data="http://a.example/", content_type="text/plain"
    ).get_json()["batch"]

    assert expected(store) == {one["id"] for one in (job, session, in_session, batch, listed)}
    assert batch["options"]["webhook_url"] == URL


def test_the_worker_does_not_get_to_know_the_url(signing: FlaskClient, store: Store) -> None:
    job = signing.post("/api/captures", json={"html": "<p>", "webhook_url": URL}).get_json()["job"]
    session = signing.post("/api/sessions", json={"webhook_url": URL}).get_json()["session"]

    assert store.jobs.request(job["id"]) == '{"html":"<p>"}'
    assert store.sessions.options(session["id"]) == "{}"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/captures", {"html": "<p>"}),
        ("/api/sessions", {}),
        ("/api/batches", {"urls": ["http://a.example/"]}),
    ],
)
def test_without_a_secret_a_url_is_refused(client: FlaskClient, store: Store, path: str, body: dict[str, Any]) -> None:
    answer = client.post(path, json={**body, "webhook_url": URL})

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "invalid_request")
    assert "FLEET_WEBHOOK_SECRETS" in answer.get_json()["error"]["message"]
    assert expected(store) == set()


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "http://ä.example/", "http://me:secret@a.example/", "http://a.example/" + "x" * 2048, ""],
)
def test_a_bad_url_is_refused(signing: FlaskClient, store: Store, url: str) -> None:
    answer = signing.post("/api/captures", json={"html": "<p>", "webhook_url": url})

    assert answer.status_code == 400
    assert expected(store) == set()


def test_webhooks_are_listed_newest_first_and_by_subject(signing: FlaskClient, store: Store) -> None:
    first, second = (end_of(signing, store) for _ in range(2))
    listed = signing.get("/api/webhooks").get_json()["webhooks"]
    of_first = signing.get("/api/webhooks", query_string={"subject_id": first}).get_json()["webhooks"]

    assert [one["subject_id"] for one in listed] == [second, first]
    assert of_first == [listed[1]]
    assert signing.get(f"/api/webhooks/{listed[0]['id']}").get_json() == listed[0]
    assert listed[0] == {
        "id": listed[0]["id"],
        "event": WebhookEvent.JOB_ENDED.value,
        "subject_id": second,
        "url": URL,
        "state": "pending",
        "created_at": listed[0]["created_at"],
        "next_attempt_at": listed[0]["created_at"],
        "attempts": [],
    }


def test_a_page_goes_on_where_the_last_one_ended(signing: FlaskClient, store: Store) -> None:
    first, second = (end_of(signing, store) for _ in range(2))
    page = signing.get("/api/webhooks", query_string={"limit": 1}).get_json()
    rest = signing.get("/api/webhooks", query_string={"limit": 1, "cursor": page["next_cursor"]}).get_json()

    assert [one["subject_id"] for one in page["webhooks"] + rest["webhooks"]] == [second, first]


def test_a_webhook_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    answer = client.get("/api/webhooks/whk_nothing")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "webhook_not_found")


def test_a_subject_that_cannot_be_is_refused(client: FlaskClient) -> None:
    assert client.get("/api/webhooks?subject_id=*").status_code == 400
