"""Batches are fed a few items at a time, in turn, and nothing that dies in between loses or doubles an item."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fleet import keys
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.batch import Batch, BatchCapture, BatchEndReason, BatchOptions, BatchState
from fleet.models.job import Job, JobKind, JobState
from fleet.queues import BATCHES_QUEUE, CAPTURES_QUEUE, RUN_CAPTURE, RUN_SESSION_JOB
from fleet.store import Store, batch_items
from fleet.store.batches import CHUNK, Item
from fleet.store.throughput import SINGLE_JOBS
from tests.factories import a_job, a_manifest, a_worker_report
from tests.integration.as_worker import fail, open_session, start, succeed
from workers import batch_feeder
from workers.batch_feeder import BatchFeeder, Shares

SHARES = Shares(alone=4, beside=1, session_jobs=5)


@pytest.fixture
def sent() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
def settled() -> list[JobState]:
    """The items that the feeder has settled for good."""
    return []


@pytest.fixture
def feeder(store: Store, sent: list[tuple[str, str, str]], settled: list[JobState]) -> BatchFeeder:
    """With one worker that is alive."""
    store.workers.renew(a_worker_report(reported_at=utc_now()))
    return BatchFeeder(store, SHARES, lambda *message: sent.append(message), on_end=settled.append)


def a_batch(
    store: Store, urls: list[str], *, capture: BatchCapture | None = None, own: str = "", **options: Any
) -> str:
    """The id of one that runs. `own`: what each item asks for itself, as JSON."""
    batch_id = new_id("bat")
    capture_json = (capture or BatchCapture()).model_dump_json(exclude_unset=True)
    store.batches.begin(batch_id, BatchOptions(**options), capture_json, request_id="req")
    items = [Item(url, None, own) for url in urls]
    for first in range(0, len(items), CHUNK):
        store.batches.add(batch_id, items[first : first + CHUNK])
    assert store.batches.start(batch_id, total=len(urls), duplicates=0, deadline_at=utc_now() + timedelta(hours=1))
    return batch_id


def pages(count: int, *, host: str = "a.example") -> list[str]:
    return [f"http://{host}/{number}" for number in range(count)]


def the(store: Store, batch_id: str) -> Batch:
    batch = store.batches.get(batch_id)
    assert batch is not None
    return batch


def jobs_of(store: Store, batch_id: str) -> list[Job]:
    """Those in hand, in the order of their items."""
    held = sorted(store.batch_items.in_hand(batch_id), key=lambda one: one.index)
    found = [store.jobs.get(one.job_id) for one in held]
    return [job for job in found if job is not None]


def work_off(store: Store, feeder: BatchFeeder, batch_id: str, *, end: Callable[[Store, str], Job]) -> None:
    """As one worker after another would."""
    while jobs := jobs_of(store, batch_id):
        feeder.job_ended(end(store, jobs[0].id))


def ended_well(store: Store, job_id: str) -> Job:
    return succeed(store, job_id, result=a_manifest())


def test_an_item_becomes_a_capture_with_what_the_batch_and_it_ask_for(
    store: Store, feeder: BatchFeeder, sent: list[tuple[str, str, str]]
) -> None:
    capture = BatchCapture.model_validate({"timeout": 1000, "goto": {"timeout": 500}})
    batch_id = a_batch(store, pages(1), capture=capture, own='{"timeout":2000}')
    feeder.feed()
    (job,) = jobs_of(store, batch_id)

    assert sent == [(RUN_CAPTURE, job.id, BATCHES_QUEUE)]
    assert (job.kind, job.batch_id, job.state) == (JobKind.CAPTURE, batch_id, JobState.QUEUED)
    asked = {"timeout": 2000, "goto": {"timeout": 500}, "url": "http://a.example/0"}
    assert json.loads(store.jobs.request(job.id) or "") == asked
    assert store.waiting.position("batches", job.id) == 1


def test_jobs_of_a_batch_leave_the_list_of_jobs_to_others(store: Store, feeder: BatchFeeder) -> None:
    a_batch(store, pages(1))
    feeder.feed()

    assert store.jobs.newest(limit=10, cursor=None).entries == []


def test_batches_have_no_more_in_hand_than_workers_can_take(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, pages(20), per_host_concurrency=20)

    assert (feeder.feed(), feeder.feed()) == (4, 0)
    assert the(store, batch_id).counts.running == 4


def test_batches_have_less_in_hand_while_single_jobs_are_sent(store: Store, feeder: BatchFeeder) -> None:
    a_batch(store, pages(20), per_host_concurrency=20)
    store.throughput.count(SINGLE_JOBS)

    assert feeder.feed() == 1


def test_without_a_worker_nothing_is_begun(store: Store, feeder: BatchFeeder) -> None:
    a_batch(store, pages(2))
    store.workers.leave("fleet@test")

    assert feeder.feed() == 0


def test_the_end_of_one_makes_room_for_the_next(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, pages(6), per_host_concurrency=20)
    feeder.feed()
    feeder.job_ended(ended_well(store, jobs_of(store, batch_id)[0].id))

    assert [held.index for held in sorted(store.batch_items.in_hand(batch_id), key=lambda held: held.index)] == [
        1,
        2,
        3,
        4,
    ]


def test_a_batch_is_worked_off_to_its_end(store: Store, feeder: BatchFeeder, settled: list[JobState]) -> None:
    batch_id = a_batch(store, pages(250))
    feeder.feed()
    work_off(store, feeder, batch_id, end=ended_well)
    batch = the(store, batch_id)

    assert (batch.state, batch.counts.succeeded) == (BatchState.ENDED, 250)
    assert settled == [JobState.SUCCEEDED] * 250


def test_batches_share_the_room(store: Store, feeder: BatchFeeder) -> None:
    large, small = a_batch(store, pages(100)), a_batch(store, pages(2))
    feeder.feed()

    assert (the(store, large).counts.running, the(store, small).counts.running) == (2, 2)


def test_a_batch_that_comes_later_gets_its_share_as_others_end(store: Store, feeder: BatchFeeder) -> None:
    large = a_batch(store, pages(100))
    feeder.feed()
    small = a_batch(store, pages(2, host="b.example"))
    for _ in range(2):
        feeder.job_ended(ended_well(store, jobs_of(store, large)[0].id))

    assert (the(store, large).counts.running, the(store, small).counts.running) == (2, 2)


def test_room_that_one_batch_does_not_take_goes_to_others(store: Store, feeder: BatchFeeder) -> None:
    modest, large = a_batch(store, pages(9), concurrency=1), a_batch(store, pages(9))
    feeder.feed()

    assert (the(store, modest).counts.running, the(store, large).counts.running) == (1, 3)


@pytest.mark.parametrize("at_most", [None, 1])
def test_room_that_one_batch_cannot_take_for_its_busy_host_goes_to_others(
    store: Store, feeder: BatchFeeder, at_most: int | None
) -> None:
    polite, large = a_batch(store, pages(9), per_host_concurrency=1), a_batch(store, pages(9))
    for _ in range(4):
        feeder.feed(at_most=at_most)

    assert (the(store, polite).counts.running, the(store, large).counts.running) == (1, 3)


def test_items_of_other_hosts_pass_those_whose_host_is_busy(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, [*pages(5), *pages(1, host="b.example")], per_host_concurrency=1)
    feeder.feed()

    assert {held.host for held in store.batch_items.in_hand(batch_id)} == {"a.example", "b.example"}


def test_a_failure_that_is_worth_it_is_tried_again(
    store: Store, feeder: BatchFeeder, monkeypatch: pytest.MonkeyPatch, settled: list[JobState]
) -> None:
    monkeypatch.setattr(batch_items, "_RETRY_MS", 0)
    batch_id = a_batch(store, pages(1), retries=2)
    feeder.feed()
    work_off(store, feeder, batch_id, end=lambda store, job_id: fail(store, job_id, "connection_failed"))
    (item,) = store.batch_items.settled(batch_id, 0, 1)

    assert (item.tries, the(store, batch_id).errors) == (3, {"connection_failed": 1})
    assert settled == [JobState.FAILED]


@pytest.mark.parametrize("where", ["capture", "item"])
def test_a_capture_that_acts_is_not_tried_again(store: Store, feeder: BatchFeeder, where: str) -> None:
    acts = {"actions": [{"kind": "press", "selector": "a", "key": "Enter"}]}
    capture = BatchCapture.model_validate(acts)
    own = capture.model_dump_json(exclude_unset=True) if where == "item" else ""
    batch_id = a_batch(store, pages(1), capture=capture if where == "capture" else None, own=own)
    feeder.feed()
    work_off(store, feeder, batch_id, end=lambda store, job_id: fail(store, job_id, "connection_failed"))

    assert the(store, batch_id).counts.failed == 1


def test_an_end_that_its_worker_did_not_live_to_tell_is_settled(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, pages(1))
    feeder.feed()
    ended_well(store, jobs_of(store, batch_id)[0].id)
    (active,) = store.batches.active()
    for _ in range(2):
        feeder.settle_lost_ends(active)

    assert the(store, batch_id).counts.succeeded == 1


def test_an_item_whose_feeder_died_before_its_job_was_made_is_begun_again(
    store: Store, feeder: BatchFeeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = a_batch(store, pages(1))
    store.batch_items.claim(
        batch_id, job_id=new_id("job"), index=0, host="a", options=the(store, batch_id).options, retry=None
    )
    (active,) = store.batches.active()
    feeder.settle_lost_ends(active)
    assert feeder.feed() == 0
    monkeypatch.setattr(batch_feeder, "_CLAIM_AGE", timedelta())
    feeder.settle_lost_ends(active)

    assert feeder.feed() == 1
    work_off(store, feeder, batch_id, end=ended_well)
    assert the(store, batch_id).counts.succeeded == 1


def test_a_batch_that_is_late_stops(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, pages(9))
    feeder.feed()
    (active,) = store.batches.active()
    store.client.hset(keys.batch(batch_id), "deadline_at", 1)
    (active,) = store.batches.active()
    feeder.stop_if_late(active)
    work_off(store, feeder, batch_id, end=ended_well)
    batch = the(store, batch_id)

    assert (batch.state, batch.end_reason) == (BatchState.ENDED, BatchEndReason.DEADLINE)
    assert (batch.counts.succeeded, batch.counts.cancelled) == (4, 5)


def test_a_batch_that_is_cancelled_takes_back_what_waits_and_stops_what_runs(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, pages(9))
    feeder.feed()
    running, *_ = jobs_of(store, batch_id)
    start(store, running.id)
    store.batches.stop(batch_id, BatchEndReason.CANCELLED)
    (active,) = store.batches.active()
    feeder.cancel_in_hand(active)

    assert the(store, batch_id).state is BatchState.STOPPING
    assert [job.id for job in jobs_of(store, batch_id)] == [running.id]
    assert store.waiting.length("batches") == 0

    feeder.job_ended(ended_well(store, running.id))

    assert the(store, batch_id).state is BatchState.ENDED
    assert (the(store, batch_id).counts.cancelled, the(store, batch_id).counts.succeeded) == (8, 1)


def a_session(store: Store) -> str:
    """The id of one that runs."""
    session_id, creation = new_id("ses"), a_job(kind=JobKind.SESSION_CREATE)
    store.jobs.create(creation, "{}")
    store.sessions.create(session_id, ttl=60, max_lifetime=600, metadata={}, options_json="{}", job_id=creation.id)
    open_session(store, session_id, creation.id)
    return session_id


def test_items_of_a_batch_in_a_session_are_jobs_of_the_session(
    store: Store, feeder: BatchFeeder, sent: list[tuple[str, str, str]]
) -> None:
    session_id = a_session(store)
    batch_id = a_batch(store, pages(9), session_id=session_id)
    feeder.feed()
    jobs = jobs_of(store, batch_id)

    # One that runs and one that waits: the session's other jobs have to wait for no more.
    assert [job.session_id for job in jobs] == [session_id] * 2
    assert sent == [(RUN_SESSION_JOB, session_id, "fleet@test.dq2")] * 2
    assert store.session_jobs.claim(session_id, "runner") == jobs[0].id


def test_an_item_waits_while_as_many_jobs_of_its_session_wait_as_may(store: Store, feeder: BatchFeeder) -> None:
    session_id = a_session(store)
    others = [a_job(session_id=session_id) for _ in range(SHARES.session_jobs + 1)]
    for job in others:
        store.sessions.add_job(session_id, job.id)
    batch_id = a_batch(store, pages(1), session_id=session_id, retries=0)
    feeder.feed()

    assert the(store, batch_id).counts.queued == 1

    while (job_id := store.session_jobs.claim(session_id, "runner")) is not None:
        store.session_jobs.release(session_id, "runner", job_id)
    feeder.feed()

    assert [job.session_id for job in jobs_of(store, batch_id)] == [session_id]


def test_an_item_whose_job_a_client_cancels_is_cancelled(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, pages(2), concurrency=1)
    feeder.feed()
    (job,) = jobs_of(store, batch_id)
    store.jobs.move(job, JobState.CANCELLED, finished_at=utc_now())
    (active,) = store.batches.active()
    feeder.settle_lost_ends(active)
    feeder.feed()
    work_off(store, feeder, batch_id, end=ended_well)

    assert (the(store, batch_id).counts.cancelled, the(store, batch_id).counts.succeeded) == (1, 1)


def test_items_of_a_batch_whose_session_has_ended_fail(store: Store, feeder: BatchFeeder) -> None:
    batch_id = a_batch(store, pages(3), session_id=new_id("ses"))
    while the(store, batch_id).state is BatchState.RUNNING:
        feeder.feed()

    assert the(store, batch_id).errors == {"session_ended": 3}


def test_single_captures_are_not_behind_those_of_batches(store: Store, feeder: BatchFeeder) -> None:
    a_batch(store, pages(5000))
    feeder.feed()

    assert store.waiting.length(CAPTURES_QUEUE) == 0
