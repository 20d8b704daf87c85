"""What Redis keeps of batches: each item is begun by one, and has one outcome, whoever dies in between."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.batch import Batch, BatchEndReason, BatchOptions, BatchState
from fleet.models.job import Job, JobError, JobState
from fleet.store import Store
from fleet.store.batch_items import Retry
from fleet.store.batches import CHUNK, Item
from tests.factories import a_job, a_manifest, an_artifact

HOST = "a.example"
RETRYABLE = JobError(code="connection_failed", message="It broke off.")
FINAL = JobError(code="selector_not_found", message="Nothing there.")


def a_batch(store: Store, count: int = 3, **options: Any) -> str:
    """The id of one that runs."""
    batch_id = new_id("bat")
    asked = BatchOptions(**{"retries": 0, **options})
    store.batches.begin(batch_id, asked, "{}", request_id="req")
    items = [Item(f"http://{HOST}/{number}") for number in range(count)]
    for first in range(0, count, CHUNK):
        store.batches.add(batch_id, items[first : first + CHUNK])
    assert store.batches.start(batch_id, total=count, duplicates=0, deadline_at=utc_now() + timedelta(hours=1))
    return batch_id


def the(store: Store, batch_id: str) -> Batch:
    batch = store.batches.get(batch_id)
    assert batch is not None
    return batch


def claim(store: Store, batch_id: str, index: int, *, host: str = HOST, retry: Retry | None = None) -> tuple[str, str]:
    """What came of it, and the id of the job that it was for."""
    job_id = new_id("job")
    options = the(store, batch_id).options
    return store.batch_items.claim(
        batch_id, job_id=job_id, index=index, host=host, options=options, retry=retry
    ), job_id


def claimed(store: Store, batch_id: str, index: int, *, retry: Retry | None = None) -> str:
    claim_result, job_id = claim(store, batch_id, index, retry=retry)
    assert claim_result == "claimed"
    return job_id


def ended(batch_id: str, job_id: str, state: JobState = JobState.SUCCEEDED, **changes: Any) -> Job:
    return a_job(id=job_id, batch_id=batch_id, state=state, finished_at=utc_now(), **changes)


def settle(
    store: Store, batch_id: str, job_id: str, state: JobState = JobState.SUCCEEDED, **changes: Any
) -> str | None:
    job = ended(batch_id, job_id, state, **changes)
    return store.batch_items.settle(batch_id, job, worth_another=job.error == RETRYABLE, jitter=0)


def run(store: Store, batch_id: str, index: int, state: JobState = JobState.SUCCEEDED, **changes: Any) -> str | None:
    return settle(store, batch_id, claimed(store, batch_id, index), state, **changes)


def test_items_are_kept_as_they_were_accepted(store: Store) -> None:
    batch_id = new_id("bat")
    items = [
        Item("http://a.example/"),
        Item("http://b.example/", "b"),
        Item("http://c.example/", None, '{"timeout":1}'),
    ]
    store.batches.begin(batch_id, BatchOptions(), "{}", request_id="req")
    store.batches.add(batch_id, items)

    assert store.batches.chunk(batch_id, 0) == items


def test_a_batch_whose_items_are_forgotten_before_its_start_does_not_start(store: Store) -> None:
    batch_id = new_id("bat")
    store.batches.begin(batch_id, BatchOptions(), "{}", request_id="req")

    assert not store.batches.start(batch_id, total=1, duplicates=0, deadline_at=utc_now())
    assert store.batches.get(batch_id) is None
    assert store.batches.active() == []


def test_an_item_is_claimed_once(store: Store) -> None:
    batch_id = a_batch(store)

    assert [claim(store, batch_id, 0)[0] for _ in range(2)] == ["claimed", "taken"]


def test_no_more_items_are_in_hand_than_the_batch_allows(store: Store) -> None:
    batch_id = a_batch(store, concurrency=2)

    assert [claim(store, batch_id, index)[0] for index in range(3)] == ["claimed", "claimed", "full"]


def test_no_more_items_of_one_host_are_in_hand_than_the_batch_allows(store: Store) -> None:
    batch_id = a_batch(store, per_host_concurrency=1)

    found = [claim(store, batch_id, index, host=host)[0] for index, host in enumerate(("a", "a", "b"))]

    assert found == ["claimed", "host", "claimed"]


def test_a_host_is_left_alone_between_two_items(store: Store) -> None:
    batch_id = a_batch(store, per_host_delay=60_000)
    run(store, batch_id, 0)

    assert claim(store, batch_id, 1)[0] == "host"
    assert claim(store, batch_id, 1, host="b.example")[0] == "claimed"


def test_a_batch_that_is_paused_begins_nothing(store: Store) -> None:
    batch_id = a_batch(store)
    store.batches.pause(batch_id)

    assert claim(store, batch_id, 0)[0] == "closed"

    store.batches.resume(batch_id)

    assert claim(store, batch_id, 0)[0] == "claimed"


def test_what_was_never_begun_is_found_behind_what_was(store: Store) -> None:
    batch_id = a_batch(store, 20, concurrency=20, per_host_concurrency=20)
    for index in (0, 1, 2, 5, 9):
        claimed(store, batch_id, index)

    assert store.batch_items.unclaimed(batch_id, 20, span=8) == [3, 4, 6, 7, 8, 10]


def test_nothing_is_found_that_was_never_begun_once_all_was(store: Store) -> None:
    batch_id = a_batch(store, 8, concurrency=20, per_host_concurrency=20)
    for index in range(8):
        claimed(store, batch_id, index)

    assert store.batch_items.unclaimed(batch_id, 8, span=8) == []


def test_an_outcome_is_listed_as_the_job_had_it(store: Store) -> None:
    batch_id = a_batch(store)
    artifact = an_artifact()
    job_id = claimed(store, batch_id, 1)
    result = a_manifest(artifact, title="Tïtle", warnings=["slow"], final_url="http://a.example/b")
    settle(store, batch_id, job_id, result=result)
    first, second, third = store.batch_items.settled(batch_id, 0, 3)

    assert (first.outcome, third.outcome) == (None, None)
    assert second.tries == 1
    assert second.outcome is not None
    assert second.outcome.model_dump(exclude={"finished_at", "duration_ms"}) == {
        "state": JobState.SUCCEEDED,
        "error": None,
        "job_id": job_id,
        "artifacts": [artifact.id],
        "status": 200,
        "final_url": "http://a.example/b",
        "title": "Tïtle",
        "warnings": ["slow"],
    }


def test_an_outcome_counts_once(store: Store) -> None:
    batch_id = a_batch(store)
    job_id = claimed(store, batch_id, 0)

    assert settle(store, batch_id, job_id) == "succeeded"
    assert settle(store, batch_id, job_id, JobState.FAILED, error=FINAL) is None
    assert the(store, batch_id).counts.succeeded == 1
    assert the(store, batch_id).errors == {}


def test_a_failure_that_is_worth_another_try_gets_as_many_as_were_asked_for(store: Store) -> None:
    batch_id = a_batch(store, 1, retries=2)
    settled = [run(store, batch_id, 0, JobState.FAILED, error=RETRYABLE)]
    for _ in range(2):
        (retry,) = store.batch_items.due_retries(batch_id, limit=10)
        settled.append(
            settle(store, batch_id, claimed(store, batch_id, 0, retry=retry), JobState.FAILED, error=RETRYABLE)
        )

    assert settled == ["again", "again", "failed"]
    assert store.batch_items.settled(batch_id, 0, 1)[0].tries == 3


def test_a_failure_that_is_not_worth_another_try_gets_none(store: Store) -> None:
    batch_id = a_batch(store, 1, retries=2)

    assert run(store, batch_id, 0, JobState.FAILED, error=FINAL) == "failed"
    assert the(store, batch_id).errors == {"selector_not_found": 1}


def test_an_item_that_waits_for_another_try_is_not_begun_before(store: Store) -> None:
    batch_id = a_batch(store, 1, retries=1)
    job = ended(batch_id, claimed(store, batch_id, 0), JobState.FAILED, error=RETRYABLE)
    store.batch_items.settle(batch_id, job, worth_another=True, jitter=1)

    assert store.batch_items.due_retries(batch_id, limit=10) == []
    assert the(store, batch_id).counts.queued == 1


def test_one_try_is_given_to_one(store: Store) -> None:
    batch_id = a_batch(store, 1, retries=1)
    run(store, batch_id, 0, JobState.FAILED, error=RETRYABLE)
    (retry,) = store.batch_items.due_retries(batch_id, limit=10)

    assert [claim(store, batch_id, 0, retry=retry)[0] for _ in range(2)] == ["claimed", "taken"]


def test_an_item_whose_job_never_was_is_begun_again_as_if_it_had_not_been(store: Store) -> None:
    batch_id = a_batch(store, 1)
    store.batch_items.give_back(batch_id, claimed(store, batch_id, 0))
    (retry,) = store.batch_items.due_retries(batch_id, limit=10)
    settle(store, batch_id, claimed(store, batch_id, 0, retry=retry))

    assert store.batch_items.settled(batch_id, 0, 1)[0].tries == 1
    assert the(store, batch_id).state is BatchState.ENDED


def test_a_batch_ends_with_its_last_outcome(store: Store) -> None:
    batch_id = a_batch(store, 2)
    run(store, batch_id, 0)
    assert the(store, batch_id).state is BatchState.RUNNING
    run(store, batch_id, 1, JobState.FAILED, error=FINAL)
    batch = the(store, batch_id)

    assert (batch.state, batch.end_reason) == (BatchState.ENDED, BatchEndReason.COMPLETED)
    assert batch.finished_at is not None
    assert store.batches.active() == []


def test_a_batch_that_is_paused_ends_with_its_last_outcome_too(store: Store) -> None:
    batch_id = a_batch(store, 1)
    job_id = claimed(store, batch_id, 0)
    store.batches.pause(batch_id)
    settle(store, batch_id, job_id)

    assert the(store, batch_id).state is BatchState.ENDED


def test_a_batch_with_nothing_in_hand_stops_at_once(store: Store) -> None:
    batch_id = a_batch(store, 3)
    run(store, batch_id, 0)
    store.batches.stop(batch_id, BatchEndReason.CANCELLED)
    batch = the(store, batch_id)

    assert (batch.state, batch.end_reason) == (BatchState.ENDED, BatchEndReason.CANCELLED)
    assert (batch.counts.succeeded, batch.counts.cancelled, batch.counts.queued) == (1, 2, 0)


def test_a_batch_with_items_in_hand_ends_with_the_last_of_them(store: Store) -> None:
    batch_id = a_batch(store, 3)
    job_id = claimed(store, batch_id, 0)
    store.batches.stop(batch_id, BatchEndReason.DEADLINE)
    assert the(store, batch_id).state is BatchState.STOPPING
    settle(store, batch_id, job_id, JobState.FAILED, error=RETRYABLE)
    batch = the(store, batch_id)

    assert (batch.state, batch.end_reason) == (BatchState.ENDED, BatchEndReason.DEADLINE)
    assert (batch.counts.failed, batch.counts.cancelled) == (1, 2)


def test_a_batch_stops_after_as_many_failures_as_it_allows(store: Store) -> None:
    batch_id = a_batch(store, 4, stop_after_failures=2)
    for index in range(2):
        run(store, batch_id, index, JobState.FAILED, error=FINAL)
    batch = the(store, batch_id)

    assert (batch.state, batch.end_reason) == (BatchState.ENDED, BatchEndReason.FAILURES)


def test_what_did_not_succeed_is_begun_anew_on_request(store: Store) -> None:
    batch_id = a_batch(store, 3, retries=1)
    run(store, batch_id, 0)
    run(store, batch_id, 1, JobState.FAILED, error=FINAL)
    run(store, batch_id, 2, JobState.FAILED, error=RETRYABLE)
    store.batches.stop(batch_id, BatchEndReason.CANCELLED)

    assert store.batch_items.reset(batch_id, range(3)) == 2

    store.batches.reopen(batch_id, deadline_at=utc_now() + timedelta(hours=1))

    assert store.batch_items.unclaimed(batch_id, 3, span=10) == [1, 2]
    assert the(store, batch_id).errors == {}

    run(store, batch_id, 2)
    run(store, batch_id, 1)
    batch = the(store, batch_id)

    assert (batch.state, batch.counts.succeeded, batch.counts.failed) == (BatchState.ENDED, 3, 0)
    assert all(one.outcome for one in store.batch_items.settled(batch_id, 0, 3))


def test_a_batch_that_has_not_ended_is_not_begun_anew(store: Store) -> None:
    batch_id = a_batch(store)

    assert store.batch_items.reset(batch_id, range(3)) is None


def test_those_that_had_no_item_begun_for_longest_come_first(store: Store) -> None:
    first, second = a_batch(store), a_batch(store)
    store.batches.begun(first)

    assert [batch.id for batch in store.batches.active()] == [second, first]


class Feeder:
    """Does to one batch what feeders, workers and clients do, in any order."""

    def __init__(self, store: Store, batch_id: str) -> None:
        self._store = store
        self._batch_id = batch_id
        self._in_hand: list[str] = []
        self._gone: list[str] = []
        self.counted = 0

    def claim(self) -> None:
        for retry in self._store.batch_items.due_retries(self._batch_id, limit=1):
            self._keep(*claim(self._store, self._batch_id, retry.index, retry=retry))
            return
        for index in self._store.batch_items.unclaimed(self._batch_id, 5, span=5)[:1]:
            self._keep(*claim(self._store, self._batch_id, index))

    def _keep(self, result: str, job_id: str) -> None:
        self._in_hand += [job_id] if result == "claimed" else []

    def succeed(self) -> None:
        for job_id in self._take():
            self.counted += settle(self._store, self._batch_id, job_id) == "succeeded"

    def fail(self) -> None:
        for job_id in self._take():
            settled = settle(self._store, self._batch_id, job_id, JobState.FAILED, error=RETRYABLE)
            self.counted += settled == "failed"

    def lose(self) -> None:
        for job_id in self._take():
            self._store.batch_items.give_back(self._batch_id, job_id)

    def say_it_again(self) -> None:
        for job_id in self._gone:
            assert settle(self._store, self._batch_id, job_id) is None

    def pause(self) -> None:
        self._store.batches.pause(self._batch_id)

    def resume(self) -> None:
        self._store.batches.resume(self._batch_id)

    def _take(self) -> list[str]:
        taken, self._in_hand = self._in_hand[:1], self._in_hand[1:]
        self._gone += taken
        return taken


STEPS = st.lists(
    st.sampled_from(
        [Feeder.claim, Feeder.succeed, Feeder.fail, Feeder.lose, Feeder.say_it_again, Feeder.pause, Feeder.resume]
    ),
    max_size=60,
)


@given(steps=STEPS)
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_item_has_exactly_one_outcome_whatever_happens_in_whichever_order(
    store: Store, steps: list[Callable[[Feeder], None]]
) -> None:
    batch_id = a_batch(store, 5, retries=1, concurrency=3)
    feeder = Feeder(store, batch_id)
    for step in [*steps, Feeder.resume, *[Feeder.claim, Feeder.succeed] * 20]:
        step(feeder)
    batch = the(store, batch_id)

    assert batch.state is BatchState.ENDED
    assert feeder.counted == batch.counts.succeeded + batch.counts.failed == 5
    assert all(one.outcome for one in store.batch_items.settled(batch_id, 0, 5))


@pytest.mark.parametrize("change", ["pause", "resume"])
def test_a_batch_that_has_ended_stays_so(store: Store, change: str) -> None:
    batch_id = a_batch(store, 1)
    run(store, batch_id, 0)

    assert getattr(store.batches, change)(batch_id) is BatchState.ENDED
