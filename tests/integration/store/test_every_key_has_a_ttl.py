"""After all that the fleet does with its store, every key ends by itself and is one of the catalogue."""

import re
from datetime import timedelta

import pytest

from fleet import keys
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.artifact import StoredArtifact
from fleet.models.batch import BatchOptions
from fleet.models.checkpoint import Checkpoint
from fleet.models.job import JobKind, JobState
from fleet.models.session import EndReason
from fleet.models.webhook import WebhookAttempt, WebhookEvent
from fleet.store import Store
from fleet.store.batches import Item
from fleet.store.frames import Frame
from fleet.store.messages import Message
from fleet.store.session_counts import SessionCountStore
from fleet.webhooks import DELAYS, after_attempt
from tests.factories import a_job, a_manifest, a_response, a_script, a_viewer, a_worker_report, an_artifact


@pytest.fixture
def busy(store: Store) -> Store:
    """A store in which everything has happened at least once."""
    _, used, ended = (_create_a_session(store) for _ in range(3))
    _use_a_session(store, used)
    _use_a_session(store, ended)
    _end_a_session(store, ended)
    _run_captures(store)
    _run_a_batch(store)
    _tell_of_ends(store)
    store.idempotency.claim("claimed", "request")
    store.idempotency.claim("answered", "request")
    store.idempotency.keep("answered", "request", {"job": {}})
    store.artifacts.put(StoredArtifact(artifact=an_artifact(), location="somewhere"))
    store.artifacts.claim_sweep("fleet@one")
    store.storage_states.hand_over(new_id("job"), "{}")
    for name in ("fleet@one", "fleet@two"):
        store.workers.renew(a_worker_report(name=name))
    store.workers.leave("fleet@two")
    store.workers.claim_estate("fleet@two")
    store.workers.renew(a_worker_report(name="fleet@three"))
    store.workers.claim_estate("fleet@three")
    store.waiting.high_since("captures", store.waiting.limit, None)
    store.waiting.claim_look("captures")
    SessionCountStore(store.client, each_time_max=0).read()
    store.workers.ask_to_drain("fleet@one")
    store.messages.take("fleet@one", Message("id", "captures", "task", "job_1"))
    store.slots.try_claim("fleet@one", "ses_1", utc_now() + timedelta(hours=1))
    store.throughput.count("captures")
    store.session_rate.take("client")
    store.key_tries.take("client")
    store.viewers.join(a_viewer())
    store.frames.publish(used, Frame(number=1, width=1280, height=720, jpeg="/9j/"))
    return store


def _create_a_session(store: Store) -> str:
    """The id of one whose only job is its creation."""
    session_id = new_id("ses")
    creation = a_job(kind=JobKind.SESSION_CREATE, session_id=session_id)
    store.waiting.try_join("sessions", creation.id, utc_now())
    store.jobs.create(creation, "{}")
    store.sessions.create(session_id, ttl=600, max_lifetime=3600, metadata={}, options_json="{}", job_id=creation.id)
    return session_id


def _use_a_session(store: Store, session_id: str) -> None:
    """All its jobs have run, then one more runs while another waits."""
    creation = store.session_jobs.claim(session_id, "runner") or ""
    store.sessions.hold(session_id)
    store.session_moves.start(session_id, "fleet@one")
    store.checkpoints.keep(session_id, "fleet@one", Checkpoint(taken_at=utc_now()))
    store.sessions.renew(session_id, url="http://a.example/")
    store.session_jobs.release(session_id, "runner", creation)
    for job in (a_job(session_id=session_id), a_job(kind=JobKind.SESSION_DELETE, session_id=session_id)):
        store.jobs.create(job, "{}")
        store.sessions.add_job(session_id, job.id)
    store.session_jobs.claim(session_id, "runner")
    store.scripts.add(session_id, a_script())
    store.sessions.hold(session_id)
    store.responses.add(session_id, [a_response()])


def _end_a_session(store: Store, session_id: str) -> None:
    store.sessions.end(session_id, EndReason.DELETED)
    store.sessions.renew(session_id, title="too late")
    store.sessions.add_job(session_id, "too late")
    store.responses.add(session_id, [a_response()])
    store.scripts.add(session_id, a_script())


def _run_captures(store: Store) -> None:
    """One that succeeds, one that is cancelled, one whose record expires while it waits."""
    succeeding, cancelled, expired = (a_job() for _ in range(3))
    for job in (succeeding, cancelled, expired):
        store.waiting.try_join("captures", job.id, utc_now())
        store.jobs.create(job, "{}")
    running = store.jobs.move(succeeding, JobState.RUNNING)
    assert running is not None
    store.jobs.move(running, JobState.SUCCEEDED, result=a_manifest(an_artifact()))
    store.jobs.move(cancelled, JobState.CANCELLED)
    store.waiting.leave("captures", cancelled.id)
    store.client.delete(keys.job(expired.id), keys.job_request(expired.id))
    store.jobs.move(expired, JobState.RUNNING)
    store.jobs.newest(limit=10, cursor=None)


def _run_a_batch(store: Store) -> None:
    """One item has ended, one waits for another try, one is in hand, one was not begun yet."""
    batch_id, options = new_id("bat"), BatchOptions(per_host_delay=1000)
    store.batches.begin(batch_id, options, "{}", request_id="req")
    store.batches.add(batch_id, [Item(f"http://{host}.example/") for host in "abcd"])
    store.batches.start(batch_id, total=4, duplicates=0, deadline_at=utc_now() + timedelta(hours=1))
    jobs = [a_job(batch_id=batch_id, state=JobState.FAILED) for _ in range(3)]
    for index, job in enumerate(jobs):
        host = f"{index}.example"
        store.batch_items.claim(batch_id, job_id=job.id, index=index, host=host, options=options, retry=None)
    for job, worth_another in zip(jobs, (True, False), strict=False):
        store.batch_items.settle(batch_id, job, worth_another=worth_another, jitter=1)
    store.throughput.count(batch_id)
    store.batches.may_look()
    for batch in store.batches.active():
        store.batches.renew(batch)


def _tell_of_ends(store: Store) -> None:
    """One is expected, one is due, one is being delivered, one was delivered, one is to be tried again."""
    subjects = [new_id("job") for _ in range(5)]
    for subject_id in subjects:
        store.webhooks.expect(WebhookEvent.JOB_ENDED, subject_id, f"http://{subject_id[4:8]}.example:8080/")
        store.client.zadd(keys.WEBHOOKS_EXPECTED, {subject_id: 0})
    store.webhooks.may_look()
    for expected in store.webhooks.to_look_at(limit=4):
        store.webhooks.make(expected, "{}")
    for status in (200, 500):
        webhook, _ = store.webhooks.claim() or (None, None)
        assert webhook is not None
        store.webhooks.settle(
            after_attempt(webhook, WebhookAttempt(at=utc_now(), duration_ms=1, status=status), DELAYS)
        )
    store.webhooks.claim()


def all_keys(store: Store) -> list[str]:
    return [str(key) for key in store.client.scan_iter("*")]


def entry_of(key: str) -> keys.CatalogueEntry | None:
    """The entry that describes the key: `{id}` and words in capitals stand for a part of the key."""
    for entry in keys.CATALOGUE:
        if re.fullmatch(re.sub(r"\\\{id\\\}|[A-Z]{2,}", "[^:]+", re.escape(entry.pattern)), key):
            return entry
    return None


def test_every_kind_of_key_was_written(busy: Store) -> None:
    assert {entry_of(key) for key in all_keys(busy)} == set(keys.CATALOGUE)


def test_every_key_has_a_ttl(busy: Store) -> None:
    assert {key: busy.client.ttl(key) for key in all_keys(busy) if busy.client.ttl(key) <= 0} == {}


def test_every_key_is_of_the_type_that_the_catalogue_says(busy: Store) -> None:
    found = {key: busy.client.type(key) for key in all_keys(busy)}
    described = {key: entry.type for key in found if (entry := entry_of(key))}

    assert found == described


def test_no_key_outlives_the_longest_that_is_kept(busy: Store) -> None:
    assert max(busy.client.ttl(key) for key in all_keys(busy)) <= keys.INDEX_SECONDS
