import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services import batches
from fleet.artifacts.storage import ArtifactStorage
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.artifact import Artifact
from fleet.models.batch import BatchOptions
from fleet.models.job import JobState
from fleet.store import Store
from tests.factories import a_manifest
from tests.integration.as_worker import fail, keep_artifact, succeed
from workers.batch_feeder import BatchFeeder, Shares

Json = dict[str, Any]
URLS = ["http://a.example/1", "http://a.example/2", "http://b.example/"]


def post(client: FlaskClient, **body: Any) -> TestResponse:
    return client.post("/api/batches", json=body or {"urls": URLS})


def accepted(client: FlaskClient, **body: Any) -> Json:
    response = post(client, **body)
    assert response.status_code == 202, response.get_json()
    found: Json = response.get_json()["batch"]
    return found


def sent_as(client: FlaskClient, media_type: str, body: str | bytes, query: str = "") -> TestResponse:
    return client.post(f"/api/batches{query}", data=body, content_type=media_type)


def items(client: FlaskClient, batch: Json, query: str = "") -> list[Json]:
    found: list[Json] = client.get(f"/api/batches/{batch['id']}/items{query}").get_json()["items"]
    return found


def requests(store: Store, batch: Json) -> list[Json]:
    """What each item asks of its page, beside the batch."""
    chunk = store.batches.chunk(batch["id"], 0)
    return [{"url": item.url, **json.loads(item.options_json or "{}")} for item in chunk]


def refused(response: TestResponse) -> tuple[int, str, str]:
    error = response.get_json()["error"]
    return response.status_code, error["code"], error["message"]


@pytest.fixture
def feeder(store: Store) -> BatchFeeder:
    return BatchFeeder(store, Shares(alone=10, beside=10, session_jobs=10), lambda *_: None)


def run_all(store: Store, feeder: BatchFeeder, batch: Json, *artifacts: Artifact, failing: str = "") -> None:
    """As workers would, until the batch has ended; those fail whose URL holds `failing`."""
    feeder.feed()
    while held := store.batch_items.in_hand(batch["id"]):
        job_id = held[0].job_id
        asked = json.loads(store.jobs.request(job_id) or "{}")
        if failing and failing in asked["url"]:
            feeder.job_ended(fail(store, job_id, "selector_not_found"))
        else:
            result = a_manifest(*artifacts, url=asked["url"], final_url=asked["url"])
            feeder.job_ended(succeed(store, job_id, result=result))


def test_a_list_of_urls_becomes_a_batch(client: FlaskClient) -> None:
    batch = accepted(client)

    assert batch["state"] == "running"
    assert batch["counts"] == {
        "total": 3, "queued": 3, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0
    }  # fmt: skip
    assert client.get(f"/api/batches/{batch['id']}").get_json()["id"] == batch["id"]


def test_the_answer_names_the_options_that_hold(client: FlaskClient) -> None:
    batch = accepted(client, urls=URLS, concurrency=3, perHostDelay=50)

    assert batch["options"] == {**BatchOptions().model_dump(), "concurrency": 3, "per_host_delay": 50}


def test_what_is_asked_of_the_pages_is_not_shown(client: FlaskClient) -> None:
    secret = {"context": {"http_credentials": {"username": "u", "password": "hush-hush"}}}
    batch = accepted(client, urls=URLS, capture=secret)

    assert "hush-hush" not in client.get(f"/api/batches/{batch['id']}").text
    assert "hush-hush" not in client.get(f"/api/batches/{batch['id']}/items").text


def test_items_have_ids_and_options_of_their_own(client: FlaskClient, store: Store) -> None:
    given = [{"url": URLS[0], "id": "one"}, {"url": URLS[1], "timeout": 1000, "outputs": [{"kind": "html"}]}]
    batch = accepted(client, items=given)

    assert [item["id"] for item in items(client, batch)] == ["one", None]
    assert requests(store, batch) == [{"url": URLS[0]}, given[1]]


def test_lines_of_json_become_a_batch(client: FlaskClient, store: Store) -> None:
    lines = '{"url": "http://a.example/", "id": "a"}\n\n{"url": "http://b.example/", "timeout": 5}\n'
    batch = sent_as(client, "application/x-ndjson", lines, "?concurrency=7").get_json()["batch"]

    assert requests(store, batch) == [{"url": "http://a.example/"}, {"url": "http://b.example/", "timeout": 5}]
    assert batch["options"]["concurrency"] == 7


def test_rows_of_csv_become_a_batch(client: FlaskClient, store: Store) -> None:
    rows = (
        "url,id,goto.wait_until,timeout,outputs\r\n"
        'http://a.example/,"one, two",commit,500,"[{""kind"": ""pdf""}]"\r\n'
        "http://b.example/,,,,\r\n"
    )
    batch = sent_as(client, "text/csv", b"\xef\xbb\xbf" + rows.encode()).get_json()["batch"]

    assert [item["id"] for item in items(client, batch)] == ["one, two", None]
    assert requests(store, batch) == [
        {"url": "http://a.example/", "goto": {"wait_until": "commit"}, "timeout": 500, "outputs": [{"kind": "pdf"}]},
        {"url": "http://b.example/"},
    ]


def test_lines_of_urls_become_a_batch(client: FlaskClient, store: Store) -> None:
    text = "# pages\nhttp://a.example/\n\n  http://b.example/  \n"
    batch = sent_as(client, "text/plain; charset=utf-8", text).get_json()["batch"]

    assert requests(store, batch) == [{"url": "http://a.example/"}, {"url": "http://b.example/"}]


def test_the_query_may_say_what_is_asked_of_each_page(client: FlaskClient, store: Store) -> None:
    query = {"capture": '{"outputs": [{"kind": "pdf"}]}'}
    response = client.post("/api/batches", data="http://a.example/", content_type="text/plain", query_string=query)
    batch_id = response.get_json()["batch"]["id"]

    assert json.loads(store.batches.capture_json(batch_id) or "") == {"outputs": [{"kind": "pdf"}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "give exactly one of urls, items and sitemap_url"),
        ({"urls": URLS, "items": []}, "give exactly one of urls, items and sitemap_url"),
        ({"urls": []}, "A batch needs at least one item."),
        ({"urls": URLS, "webhook_url": "http://a.example/"}, "FLEET_WEBHOOK_SECRETS"),
        ({"urls": URLS, "concurrency": 0}, "concurrency: "),
        ({"urls": URLS, "capture": {"url": "http://a.example/"}}, "capture.url: unknown field"),
        ({"items": [{"url": URLS[0]}, {"id": "x"}]}, "items[1]: url: "),
        ({"items": [{"url": URLS[0], "html": "<p>"}]}, "items[0]: html: unknown field"),
        ({"items": [{"url": URLS[0], "id": "x"}, {"url": URLS[1], "id": "x"}]}, "The id 'x' stands for two items"),
    ],
)
def test_a_bad_batch_is_refused(client: FlaskClient, body: Json, message: str) -> None:
    status, code, said = refused(client.post("/api/batches", json=body))

    assert (status, code) == (400, "invalid_request")
    assert message in said
    assert client.get("/api/batches").get_json()["batches"] == []


@pytest.mark.parametrize(
    ("media_type", "body", "code", "message"),
    [
        ("text/plain", "http://a.example/\nfile:///etc/passwd", "invalid_url", "line 2: The fleet opens http"),
        ("text/plain", b"http://a.example/\n\xff", "invalid_request", "line 2: not UTF-8 text"),
        ("application/x-ndjson", '{"url": "http://a.example/"}\n{', "invalid_json", "Line 2 is not valid JSON"),
        ("application/x-ndjson", '{"url": "http://a.example/", "tiemout": 5}', "invalid_request", "did you mean"),
        ("text/csv", "address\nhttp://a.example/", "invalid_request", "one of them is url"),
        ("text/csv", "url\nhttp://a.example/,5", "invalid_request", "line 2: has 2 cells"),
        ("text/csv", "url,timeout\nhttp://a.example/,soon", "invalid_request", "line 2: timeout: "),
        ("text/csv", "url,timeout\nhttp://a.example/,NaN", "invalid_request", "line 2: timeout: "),
        ("text/csv", 'url,outputs\nhttp://a.example/,"[""\\ud800""]"', "invalid_request", "line 2: outputs: "),
        ("text/csv", "url,outputs\nhttp://a.example/," + "[" * 60_000, "invalid_request", "line 2: outputs: "),
        ("text/csv", "url,goto,goto.timeout\nhttp://a.example/,1,2", "invalid_request", "contradict"),
        ("text/csv", "url\nhttp://a.example/,\x00", "invalid_request", "line 2: "),
        ("application/x-ndjson", '{"url": "http://a.example/", "id": "\\ud800"}', "invalid_json", "lone surrogate"),
        ("text/plain", "", "invalid_request", "at least one item"),
    ],
)
def test_a_bad_line_is_named_and_nothing_starts(  # noqa: PLR0917  # a row of the table
    client: FlaskClient, store: Store, media_type: str, body: str | bytes, code: str, message: str
) -> None:
    status, found, said = refused(sent_as(client, media_type, body))

    assert (status, found) == (400, code)
    assert message in said
    assert store.batches.active() == []


def test_a_batch_of_another_type_is_refused(client: FlaskClient) -> None:
    assert refused(sent_as(client, "application/xml", "<urls/>"))[:2] == (415, "unsupported_media_type")


def test_options_stand_in_the_body_if_it_can_hold_them(client: FlaskClient) -> None:
    response = client.post("/api/batches?concurrency=2", json={"urls": URLS})

    assert refused(response)[0] == 400


def test_a_batch_with_too_many_items_is_refused(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ITEMS_MAX", 2)

    assert refused(post(client))[:2] == (413, "batch_too_large")


def test_a_line_that_is_too_long_is_refused(client: FlaskClient) -> None:
    response = sent_as(client, "application/x-ndjson", '{"url": "http://a.example/' + "x" * 70_000 + '"}')

    assert refused(response)[:2] == (413, "batch_too_large")


def test_a_batch_too_many_is_refused(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ACTIVE_MAX", 1)
    post(client)
    response = post(client)

    assert refused(response)[:2] == (429, "queue_full")
    assert int(response.headers["Retry-After"]) > 0


def test_an_item_that_is_there_twice_is_taken_once(client: FlaskClient) -> None:
    batch = accepted(client, urls=[URLS[0], URLS[1], URLS[0]])

    assert (batch["counts"]["total"], batch["duplicates"]) == (2, 1)


def test_an_item_that_asks_for_something_else_is_no_duplicate(client: FlaskClient) -> None:
    given = [{"url": URLS[0]}, {"url": URLS[0], "timeout": 5}, {"url": URLS[0], "id": "x"}]

    assert accepted(client, items=given)["counts"]["total"] == 3


def test_duplicates_are_kept_on_request(client: FlaskClient) -> None:
    assert accepted(client, urls=[URLS[0]] * 3, deduplicate=False)["counts"]["total"] == 3


def test_a_batch_that_is_sent_again_is_accepted_once(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "key"}
    first, second = (client.post("/api/batches", json={"urls": URLS}, headers=headers).get_json() for _ in range(2))

    assert first == second
    assert len(client.get("/api/batches").get_json()["batches"]) == 1


def test_another_batch_with_the_same_key_is_refused(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "key"}
    for body in ("http://a.example/", "http://b.example/"):
        response = client.post("/api/batches", data=body, content_type="text/plain", headers=headers)

    assert refused(response)[:2] == (409, "idempotency_key_reused")


def test_a_batch_in_a_session_that_is_not_there_is_refused(client: FlaskClient) -> None:
    assert refused(post(client, urls=URLS, session_id=new_id("ses")))[:2] == (404, "session_not_found")


def test_a_batch_in_a_session_has_no_context_of_its_own(client: FlaskClient, running_session: str) -> None:
    context = {"context": {"locale": "de-DE"}}
    with_capture = post(client, urls=URLS, session_id=running_session, capture=context)
    with_item = post(client, items=[{"url": URLS[0], **context}], session_id=running_session)

    assert [refused(response)[:2] for response in (with_capture, with_item)] == [(400, "invalid_request")] * 2


def test_progress_is_told_by_state_and_code(client: FlaskClient, store: Store, feeder: BatchFeeder) -> None:
    batch = accepted(client)
    run_all(store, feeder, batch, failing="b.example")
    found = client.get(f"/api/batches/{batch['id']}").get_json()

    assert (found["state"], found["end_reason"]) == ("ended", "completed")
    assert (found["counts"]["succeeded"], found["counts"]["failed"]) == (2, 1)
    assert found["errors"] == {"selector_not_found": 1}


def test_a_batch_that_moves_tells_when_it_will_end(client: FlaskClient, store: Store, feeder: BatchFeeder) -> None:
    batch = accepted(client)
    feeder.feed()
    feeder.settle(succeed(store, store.batch_items.in_hand(batch["id"])[0].job_id, result=a_manifest()))
    found = client.get(f"/api/batches/{batch['id']}").get_json()

    assert found["rate"] > 0
    assert utc_now() < datetime.fromisoformat(found["estimated_end"]) < utc_now() + timedelta(hours=1)


def test_items_are_listed_in_their_order_with_what_became_of_them(
    client: FlaskClient, store: Store, storage: ArtifactStorage, feeder: BatchFeeder
) -> None:
    batch = accepted(client)
    artifact = keep_artifact(store, storage, b"png")
    run_all(store, feeder, batch, artifact, failing="/2")
    first, second, third = items(client, batch)

    assert [first["url"], second["url"], third["url"]] == URLS
    assert (first["state"], first["tries"], first["status"]) == ("succeeded", 1, 200)
    assert first["artifacts"] == [json.loads(artifact.model_dump_json())]
    assert second["error"] == {"code": "selector_not_found", "message": "what failed"}
    assert second["artifacts"] == []


def test_items_come_page_by_page(client: FlaskClient) -> None:
    batch = accepted(client, urls=[f"http://a.example/{number}" for number in range(250)])
    seen, cursor = [], "0"
    for _ in range(3):
        page = client.get(f"/api/batches/{batch['id']}/items?limit=90&cursor={cursor}").get_json()
        seen += [item["index"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert seen == list(range(250))
    assert cursor is None


def test_items_of_one_state_are_found(client: FlaskClient, store: Store, feeder: BatchFeeder) -> None:
    batch = accepted(client, urls=[f"http://a.example/{number}" for number in range(120)])
    run_all(store, feeder, batch, failing="/7")

    assert [item["index"] for item in items(client, batch, "?state=failed&limit=3")] == [7, 70, 71]


def test_a_cursor_that_is_none_is_refused(client: FlaskClient) -> None:
    batch = accepted(client)

    assert refused(client.get(f"/api/batches/{batch['id']}/items?cursor=x"))[:2] == (400, "invalid_request")


_CALLS = ["get ", "get /items", "get /archive", "delete ", "post /pause", "post /resume", "post /retry"]


@pytest.mark.parametrize("call", _CALLS)
@pytest.mark.parametrize("batch_id", [new_id("bat"), "bat_x", "*"])
def test_a_batch_that_is_not_there_is_not_found(client: FlaskClient, call: str, batch_id: str) -> None:
    method, path = call.split(" ")

    assert refused(getattr(client, method)(f"/api/batches/{batch_id}{path}"))[:2] == (404, "batch_not_found")


def test_batches_are_listed_newest_first(client: FlaskClient) -> None:
    ids = [accepted(client)["id"] for _ in range(3)]
    first = client.get("/api/batches?limit=2").get_json()
    second = client.get(f"/api/batches?limit=2&cursor={first['next_cursor']}").get_json()

    assert [batch["id"] for page in (first, second) for batch in page["batches"]] == ids[::-1]


def test_a_paused_batch_begins_nothing_until_it_is_resumed(
    client: FlaskClient, store: Store, feeder: BatchFeeder
) -> None:
    batch = accepted(client)
    assert client.post(f"/api/batches/{batch['id']}/pause").get_json()["batch"]["state"] == "paused"
    assert feeder.feed() == 0
    assert client.post(f"/api/batches/{batch['id']}/resume").get_json()["batch"]["state"] == "running"
    assert feeder.feed() == 3


def test_a_cancelled_batch_ends(client: FlaskClient, store: Store, feeder: BatchFeeder) -> None:
    batch = accepted(client)
    response = client.delete(f"/api/batches/{batch['id']}")

    assert response.status_code == 200
    assert response.get_json()["batch"]["end_reason"] == "cancelled"
    assert [item["state"] for item in items(client, batch)] == ["cancelled"] * 3


def test_a_cancelled_batch_with_items_in_hand_is_stopping(
    client: FlaskClient, store: Store, feeder: BatchFeeder
) -> None:
    batch = accepted(client)
    feeder.feed()
    response = client.delete(f"/api/batches/{batch['id']}")

    assert (response.status_code, response.get_json()["batch"]["state"]) == (202, "stopping")


@pytest.mark.parametrize("change", ["pause", "resume"])
def test_a_batch_that_has_ended_does_not_go_on(client: FlaskClient, change: str) -> None:
    batch = accepted(client)
    client.delete(f"/api/batches/{batch['id']}")

    assert refused(client.post(f"/api/batches/{batch['id']}/{change}"))[:2] == (409, "batch_conflict")


def test_what_did_not_succeed_is_retried(client: FlaskClient, store: Store, feeder: BatchFeeder) -> None:
    batch = accepted(client)
    run_all(store, feeder, batch, failing="b.example")
    again = client.post(f"/api/batches/{batch['id']}/retry")

    assert (again.status_code, again.get_json()["batch"]["counts"]["queued"]) == (202, 1)

    run_all(store, feeder, batch)

    assert [item["state"] for item in items(client, batch)] == [JobState.SUCCEEDED] * 3
    assert refused(client.post(f"/api/batches/{batch['id']}/retry"))[:2] == (409, "batch_conflict")


def test_a_batch_that_runs_is_not_retried(client: FlaskClient) -> None:
    batch = accepted(client)

    assert refused(client.post(f"/api/batches/{batch['id']}/retry"))[:2] == (409, "batch_conflict")


def test_a_job_of_a_batch_names_it(client: FlaskClient, store: Store, feeder: BatchFeeder) -> None:
    batch = accepted(client)
    feeder.feed()
    job_id = items(client, batch)[0]["job_id"]

    assert client.get(f"/api/jobs/{job_id}").get_json()["batch_id"] == batch["id"]
