"""Webhooks over a real store, to a real receiver: each end is told, and a dead receiver holds up nobody."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from fleet import keys
from fleet.checked_http import CheckedHttp
from fleet.clock import utc_now
from fleet.egress import parse_policy
from fleet.ids import new_id
from fleet.models.batch import BatchEndReason, BatchOptions, BatchState
from fleet.models.job import Job, JobKind, JobState
from fleet.models.session import EndReason
from fleet.models.webhook import Webhook, WebhookEvent, WebhookState
from fleet.store import Store, webhooks
from fleet.store.batches import Item
from fleet_client import verify_webhook
from tests.factories import a_job, a_manifest
from tests.integration.as_worker import succeed
from tests.integration.receiver import Receiver
from tests.polling import eventually
from workers.browser_host import webhook_ends
from workers.browser_host.webhook_deliveries import WebhookDeliveries
from workers.browser_host.webhook_ends import WebhookEnds

SECRETS = ("a secret of today", "a secret of yesterday")
ALLOWED = CheckedHttp(parse_policy("127.0.0.1"))
AT_ONCE = (timedelta(0),) * 2


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def deliver(store: Store) -> Callable[..., list[WebhookState]]:
    """Delivers what is due, one after the other; the states after each attempt."""

    def run(*, http: CheckedHttp = ALLOWED, delays: tuple[timedelta, ...] = AT_ONCE) -> list[WebhookState]:
        states: list[WebhookState] = []
        deliveries = WebhookDeliveries(store.webhooks, http, SECRETS, on_attempt=states.append, delays=delays)
        while claimed := store.webhooks.claim():
            deliveries.deliver(*claimed)
        return states

    return run


def look(store: Store, *, at_all: bool = False) -> int:
    """One look for ends, whoever looked a moment ago. `at_all`: also at those whose time has not come."""
    store.client.delete(keys.WEBHOOKS_LOOK)
    if at_all:
        for subject_id in map(str, store.client.zrange(keys.WEBHOOKS_EXPECTED, 0, -1)):
            store.client.zadd(keys.WEBHOOKS_EXPECTED, {subject_id: 0})
    return WebhookEnds(store).look()


def expected_job(store: Store, url: str, **changes: Any) -> Job:
    job = a_job(**changes)
    store.webhooks.expect(WebhookEvent.JOB_ENDED, job.id, url)
    store.jobs.create(job, "{}")
    return job


def due_webhook(store: Store, url: str) -> Webhook:
    job = expected_job(store, url)
    succeed(store, job.id)
    assert look(store) == 1
    return of_subject(store, job.id)


def of_subject(store: Store, subject_id: str) -> Webhook:
    (webhook,) = store.webhooks.newest(subject_id=subject_id, limit=10, cursor=None).entries
    return webhook


def now(store: Store, webhook: Webhook) -> Webhook:
    found = store.webhooks.get(webhook.id)
    assert found is not None
    return found


def test_the_end_of_a_job_is_told_with_a_signature(
    store: Store, receiver: Receiver, deliver: Callable[..., list[WebhookState]]
) -> None:
    webhook = due_webhook(store, receiver.url)
    deliver()
    (came,) = receiver.received
    told = json.loads(came.body)

    assert (came.path, came.headers["Fleet-Event"], came.headers["Fleet-Delivery"]) == (
        "/hook",
        "job.ended",
        webhook.id,
    )
    assert all(verify_webhook(came.body, came.headers["Fleet-Signature"], secret) for secret in SECRETS)
    assert (told["job"]["id"], told["job"]["state"]) == (webhook.subject_id, "succeeded")
    assert [attempt.status for attempt in now(store, webhook).attempts] == [200]
    assert now(store, webhook).state is WebhookState.DELIVERED
    assert store.client.hget(keys.webhook(webhook.id), "body") is None


def test_nothing_is_told_before_the_end(store: Store) -> None:
    expected_job(store, "http://a.example/")

    assert look(store, at_all=True) == 0


def test_an_end_is_told_once_however_often_it_is_seen(store: Store) -> None:
    job = expected_job(store, "http://a.example/")
    succeed(store, job.id)
    store.client.zadd(keys.WEBHOOKS_EXPECTED, {job.id: 0})
    (expected,) = store.webhooks.to_look_at(limit=10)

    assert store.webhooks.make(expected, "{}")
    assert not store.webhooks.make(expected, "{}")


def test_an_end_whose_author_died_before_telling_is_found(store: Store) -> None:
    job = expected_job(store, "http://a.example/")
    ended = job.evolve(state=JobState.FAILED)
    store.client.hset(keys.job(job.id), mapping={"state": "failed", "record": ended.model_dump_json()})

    assert look(store) == 0
    assert look(store, at_all=True) == 1


def test_a_job_that_was_not_accepted_is_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.webhooks.expect(WebhookEvent.JOB_ENDED, new_id("job"), "http://a.example/")
    look(store, at_all=True)

    assert store.client.zcard(keys.WEBHOOKS_EXPECTED) == 1

    monkeypatch.setattr(webhook_ends, "_ACCEPTANCE", timedelta(0))
    look(store, at_all=True)

    assert store.client.zcard(keys.WEBHOOKS_EXPECTED) == 0
    assert store.webhooks.newest(subject_id=None, limit=10, cursor=None).entries == []


def test_a_result_that_is_too_long_is_left_out(
    store: Store, receiver: Receiver, deliver: Callable[..., list[WebhookState]]
) -> None:
    job = expected_job(store, receiver.url)
    succeed(store, job.id, result=a_manifest(title="t" * 70_000))
    look(store)
    deliver()
    told = json.loads(receiver.received[0].body)

    assert (told["truncated"], told["job"]["id"], told["job"]["result"]) == (True, job.id, None)


@pytest.fixture
def session_id(store: Store) -> str:
    made = new_id("ses")
    store.webhooks.expect(WebhookEvent.SESSION_ENDED, made, "http://a.example/")
    creation = a_job(kind=JobKind.SESSION_CREATE, session_id=made)
    store.sessions.create(made, ttl=600, max_lifetime=3600, metadata={}, options_json="{}", job_id=creation.id)
    return made


def claimed_body(store: Store) -> Any:
    claimed = store.webhooks.claim()
    assert claimed is not None
    return json.loads(claimed[1])


def test_the_end_of_a_session_is_told_at_once(store: Store, session_id: str) -> None:
    assert look(store, at_all=True) == 0

    store.sessions.end(session_id, EndReason.DELETED)

    assert look(store) == 1
    told = claimed_body(store)
    assert (told["session"]["id"], told["session"]["end_reason"]) == (session_id, "deleted")
    assert told["session"]["ended_at"]


def test_a_session_that_nobody_ended_is_told_of(store: Store, session_id: str) -> None:
    store.client.delete(keys.session(session_id))

    assert look(store, at_all=True) == 1
    assert claimed_body(store)["session"]["end_reason"] == "max_lifetime"


def a_batch(store: Store) -> str:
    batch_id = new_id("bat")
    store.batches.begin(batch_id, BatchOptions(), "{}", request_id="req")
    store.batches.add(batch_id, [Item("http://a.example/")])
    store.webhooks.expect(WebhookEvent.BATCH_ENDED, batch_id, "http://a.example/")
    store.batches.start(batch_id, total=1, duplicates=0, deadline_at=utc_now() + timedelta(hours=1))
    return batch_id


def test_the_end_of_a_batch_is_told_with_its_counts(store: Store) -> None:
    batch_id = a_batch(store)

    assert look(store, at_all=True) == 0

    store.batches.stop(batch_id, BatchEndReason.CANCELLED)

    assert look(store, at_all=True) == 1
    told = claimed_body(store)["batch"]
    assert (told["id"], told["end_reason"], told["counts"]["cancelled"]) == (batch_id, "cancelled", 1)


def test_a_batch_that_is_retried_is_told_of_again_and_not_before(store: Store) -> None:
    batch_id = a_batch(store)
    store.batches.stop(batch_id, BatchEndReason.CANCELLED)
    look(store, at_all=True)
    ended = store.batches.get(batch_id)
    assert ended is not None
    store.webhooks.expect(WebhookEvent.BATCH_ENDED, batch_id, "http://a.example/", earlier_end=ended.finished_at)

    assert look(store, at_all=True) == 0

    store.batches.reopen(batch_id, deadline_at=utc_now() + timedelta(hours=1))
    eventually(lambda: utc_now() > (ended.finished_at or utc_now()) + timedelta(milliseconds=2))
    assert store.batches.stop(batch_id, BatchEndReason.CANCELLED) is BatchState.ENDED

    assert look(store, at_all=True) == 1
    assert len(store.webhooks.newest(subject_id=batch_id, limit=10, cursor=None).entries) == 2


def test_a_receiver_that_fails_is_tried_again_with_the_same_delivery(
    store: Store, deliver: Callable[..., list[WebhookState]]
) -> None:
    with Receiver(500, 200) as receiver:
        webhook = due_webhook(store, receiver.url)
        states = deliver()

    assert states == [WebhookState.PENDING, WebhookState.DELIVERED]
    assert [came.headers["Fleet-Delivery"] for came in receiver.received] == [webhook.id] * 2
    assert [attempt.status for attempt in now(store, webhook).attempts] == [500, 200]


def test_an_attempt_waits_for_its_time(store: Store, deliver: Callable[..., list[WebhookState]]) -> None:
    with Receiver(500) as receiver:
        webhook = due_webhook(store, receiver.url)
        deliver(delays=(timedelta(hours=1),))

    assert len(receiver.received) == 1
    assert store.webhooks.claim() is None
    assert (now(store, webhook).next_attempt_at or utc_now()) > utc_now() + timedelta(minutes=40)


def test_it_has_failed_after_the_last_attempt(store: Store, deliver: Callable[..., list[WebhookState]]) -> None:
    with Receiver(500) as receiver:
        webhook = due_webhook(store, receiver.url)
        states = deliver()

    assert states == [WebhookState.PENDING, WebhookState.PENDING, WebhookState.FAILED]
    assert (now(store, webhook).state, len(receiver.received)) == (WebhookState.FAILED, 3)


def test_redirects_are_not_followed(store: Store, deliver: Callable[..., list[WebhookState]]) -> None:
    with Receiver(302) as receiver:
        webhook = due_webhook(store, receiver.url)
        deliver(delays=())

    assert [attempt.status for attempt in now(store, webhook).attempts] == [302]
    assert len(receiver.received) == 1


def test_a_receiver_that_is_not_there_is_told_by_its_code(
    store: Store, deliver: Callable[..., list[WebhookState]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    webhook = due_webhook(store, f"http://127.0.0.1:{port}/")
    deliver(delays=())

    assert [attempt.error for attempt in now(store, webhook).attempts] == ["connection_failed"]


def test_private_addresses_are_not_dialled(
    store: Store, receiver: Receiver, deliver: Callable[..., list[WebhookState]]
) -> None:
    webhook = due_webhook(store, receiver.url)
    deliver(http=CheckedHttp(parse_policy("")), delays=())

    assert [attempt.error for attempt in now(store, webhook).attempts] == ["egress_blocked"]
    assert receiver.received == []


def test_what_a_worker_had_in_hand_that_died_is_due_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_LEASE", timedelta(milliseconds=50))
    webhook = due_webhook(store, "http://a.example/")
    assert store.webhooks.claim() is not None

    again = eventually(store.webhooks.claim)

    assert again is not None
    assert again[0].id == webhook.id


def test_nobody_else_gets_what_somebody_delivers(store: Store) -> None:
    due_webhook(store, "http://a.example/")

    assert store.webhooks.claim() is not None
    assert store.webhooks.claim() is None


def test_a_receiver_has_two_attempts_at_once_and_others_go_on(store: Store) -> None:
    for _ in range(5):
        due_webhook(store, "http://dead.example/")
    lively = due_webhook(store, "http://lively.example/")
    in_hand = [claimed[0] for _ in range(6) if (claimed := store.webhooks.claim())]

    assert sorted(webhook.receiver for webhook in in_hand) == ["dead.example", "dead.example", "lively.example"]
    assert lively.id in [webhook.id for webhook in in_hand]

    of_dead = next(webhook for webhook in in_hand if webhook.id != lively.id)
    store.webhooks.settle(of_dead.model_copy(update={"state": WebhookState.FAILED, "next_attempt_at": None}))
    (next_one, _) = store.webhooks.claim() or (None, b"")

    assert next_one is not None
    assert next_one.receiver == "dead.example"
    assert next_one.id not in [webhook.id for webhook in in_hand]


def test_one_that_has_just_become_due_waits_for_its_receiver_too(store: Store) -> None:
    for _ in range(2):
        due_webhook(store, "http://slow.example/")
        assert store.webhooks.claim() is not None
    due_webhook(store, "http://slow.example/")

    assert store.webhooks.claim() is None


def test_what_was_expected_anew_outlives_what_was_expected_before(store: Store) -> None:
    subject_id = new_id("bat")
    store.webhooks.expect(WebhookEvent.BATCH_ENDED, subject_id, "http://a.example/")
    store.client.zadd(keys.WEBHOOKS_EXPECTED, {subject_id: 0})
    (before,) = store.webhooks.to_look_at(limit=10)
    store.webhooks.expect(WebhookEvent.BATCH_ENDED, subject_id, "http://a.example/")

    assert not store.webhooks.make(before, "{}")
    assert store.client.exists(keys.webhook_expected(subject_id))


def test_a_record_that_is_gone_leaves_the_queue(store: Store) -> None:
    gone = due_webhook(store, "http://a.example/")
    there = due_webhook(store, "http://a.example/")
    store.client.delete(keys.webhook(gone.id))
    claimed = store.webhooks.claim()

    assert claimed is not None
    assert claimed[0].id == there.id
    assert store.client.zrange(keys.webhooks_due_of("a.example"), 0, -1) == [there.id]


def test_threads_deliver_what_is_due_and_end(store: Store, receiver: Receiver) -> None:
    for _ in range(20):
        due_webhook(store, receiver.url)
    states: list[WebhookState] = []
    deliveries = WebhookDeliveries(store.webhooks, ALLOWED, SECRETS, on_attempt=states.append)
    deliveries.look()
    eventually(lambda: len(states) == 20)

    assert set(states) == {WebhookState.DELIVERED}
    eventually(lambda: all(thread.name != "webhook" for thread in threading.enumerate()))


def test_without_a_secret_nothing_is_taken(store: Store) -> None:
    webhook = due_webhook(store, "http://a.example/")
    WebhookDeliveries(store.webhooks, ALLOWED, (), on_attempt=lambda _state: None).look()
    claimed = store.webhooks.claim()

    assert claimed is not None
    assert claimed[0].id == webhook.id
