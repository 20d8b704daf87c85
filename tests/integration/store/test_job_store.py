from datetime import timedelta

import pytest

from fleet import keys
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.job import Job, JobError, JobKind, JobState
from fleet.queues import SharedQueue
from fleet.store import Store
from tests.factories import a_job, a_manifest, an_artifact
from tests.polling import eventually


@pytest.fixture
def job(store: Store) -> Job:
    """One that is queued."""
    return created(store)


def created(store: Store, **changes: object) -> Job:
    job = a_job(**changes)
    store.jobs.create(job, '{"html":""}')
    return job


def test_a_job_comes_back_as_it_was_created(store: Store) -> None:
    job = created(store, kind=JobKind.SESSION_CREATE, session_id="ses_1", request_id="trace-1")

    assert store.jobs.get(job.id) == job


def test_a_job_that_was_never_created_is_none(store: Store) -> None:
    assert store.jobs.get(new_id("job")) is None


def test_what_was_asked_comes_back_as_it_was_kept(store: Store, job: Job) -> None:
    assert store.jobs.request(job.id) == '{"html":""}'


def test_a_move_keeps_what_it_brings(store: Store, job: Job) -> None:
    moved = store.jobs.move(job, JobState.RUNNING, worker="fleet@one", attempts=1, started_at=utc_now())

    assert moved is not None
    assert (moved.state, moved.worker, moved.attempts) == (JobState.RUNNING, "fleet@one", 1)
    assert store.jobs.get(job.id) == moved


@pytest.mark.parametrize(("kind", "queue"), [(JobKind.SESSION_CREATE, "sessions"), (JobKind.CAPTURE, "captures")])
def test_a_job_that_is_moved_waits_no_longer(store: Store, kind: JobKind, queue: SharedQueue) -> None:
    job = created(store, kind=kind)
    store.waiting.try_join(queue, job.id, job.queued_at)
    store.jobs.move(job, JobState.RUNNING)

    assert store.waiting.position(queue, job.id) is None


def test_a_move_that_comes_too_late_takes_nobody_out_of_the_queue(store: Store, job: Job) -> None:
    """The job may have been put back into it since, or a Redis that died has forgotten that it ran."""
    store.waiting.try_join("captures", job.id, job.queued_at)
    seen_running = job.evolve(state=JobState.RUNNING)

    assert store.jobs.move(seen_running, JobState.SUCCEEDED) is None
    assert store.waiting.position("captures", job.id) == 1


def test_a_result_comes_back_with_its_artifacts(store: Store, job: Job) -> None:
    running = store.jobs.move(job, JobState.RUNNING)
    assert running is not None
    manifest = a_manifest(an_artifact(width=800, height=600), warnings=["cut"])
    store.jobs.move(running, JobState.SUCCEEDED, result=manifest)
    kept = store.jobs.get(job.id)

    assert kept is not None
    assert kept.result == manifest


def test_an_error_comes_back_with_its_details(store: Store, job: Job) -> None:
    error = JobError(code="tls_error", message="what failed", details={"host": "a.example", "tries": [1, 2]})
    store.jobs.move(job, JobState.FAILED, error=error)
    kept = store.jobs.get(job.id)

    assert kept is not None
    assert kept.error == error


def test_of_two_who_move_a_job_one_wins(store: Store, job: Job) -> None:
    moves = [store.jobs.move(job, state) for state in (JobState.RUNNING, JobState.CANCELLED)]

    assert [move is None for move in moves] == [False, True]
    kept = store.jobs.get(job.id)
    assert kept is not None
    assert kept.state is JobState.RUNNING


def test_a_move_that_is_not_allowed_changes_nothing(store: Store, job: Job) -> None:
    assert store.jobs.move(job, JobState.SUCCEEDED) is None
    assert store.jobs.get(job.id) == job


def test_a_finished_job_does_not_move(store: Store, job: Job) -> None:
    finished = store.jobs.move(job, JobState.CANCELLED)
    assert finished is not None

    assert [store.jobs.move(finished, state) for state in JobState] == [None] * len(JobState)


def test_a_job_whose_record_has_expired_does_not_move(store: Store, job: Job) -> None:
    store.client.delete(keys.job(job.id))

    assert store.jobs.move(job, JobState.RUNNING) is None
    assert store.client.exists(keys.job(job.id)) == 0


def test_a_move_does_not_prolong_the_record(store: Store, job: Job) -> None:
    store.client.expire(keys.job(job.id), 50)
    store.jobs.move(job, JobState.RUNNING)

    assert 0 < store.client.ttl(keys.job(job.id)) <= 50


def test_what_a_finished_job_was_asked_is_forgotten(store: Store, job: Job) -> None:
    store.jobs.move(job, JobState.CANCELLED)

    assert store.jobs.request(job.id) is None


def test_what_a_running_job_was_asked_is_kept(store: Store, job: Job) -> None:
    store.jobs.move(job, JobState.RUNNING)

    assert store.jobs.request(job.id) == '{"html":""}'


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED])
def test_the_end_of_a_job_is_announced_once(store: Store, job: Job, end: JobState) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(keys.JOB_ENDED_CHANNEL)
        running = store.jobs.move(job, JobState.RUNNING)
        assert running is not None
        store.jobs.move(running, end)
        store.jobs.move(running, end)
        marker = created(store)
        store.jobs.move(marker, JobState.CANCELLED)

        assert [eventually(heard.get_message)["data"] for _ in range(2)] == [job.id, marker.id]


@pytest.mark.parametrize("channel", [keys.worker_cancels("worker@1"), keys.JOB_CANCEL_CHANNEL])
def test_asking_to_cancel_tells_the_job_s_worker_and_if_that_does_not_listen_all(
    store: Store, job: Job, channel: str
) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(channel)
        store.jobs.ask_to_cancel(job.evolve(worker="worker@1"))

        assert eventually(heard.get_message)["data"] == job.id


def test_whoever_runs_other_jobs_does_not_hear_of_a_cancelled_one(store: Store, job: Job) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        mine, other = keys.worker_cancels("worker@1"), keys.worker_cancels("worker@2")
        heard.subscribe(mine, other, keys.JOB_CANCEL_CHANNEL)
        eventually(lambda: all(count for _, count in store.client.pubsub_numsub(mine, other)))
        store.jobs.ask_to_cancel(job.evolve(worker="worker@1"))
        store.client.publish(other, "last")

        messages = [eventually(heard.get_message) for _ in range(2)]
        assert [(message["channel"], message["data"]) for message in messages] == [(mine, job.id), (other, "last")]


def test_jobs_are_listed_newest_first(store: Store) -> None:
    now = utc_now()
    jobs = [created(store, queued_at=now + timedelta(seconds=second)) for second in (1, 3, 2)]

    listed = store.jobs.newest(limit=10, cursor=None).entries
    assert [job.id for job in listed] == [jobs[1].id, jobs[2].id, jobs[0].id]


def test_pages_go_on_where_the_one_before_ended(store: Store) -> None:
    now = utc_now()
    jobs = [created(store, queued_at=now - timedelta(seconds=second)) for second in range(5)]
    listed: list[str] = []
    cursor = None
    for _ in range(3):
        page = store.jobs.newest(limit=2, cursor=cursor)
        listed += [job.id for job in page.entries]
        cursor = page.next_cursor

    assert listed == [job.id for job in jobs]
    assert cursor is None


def test_jobs_of_the_same_moment_are_all_on_some_page(store: Store) -> None:
    now = utc_now()
    jobs = {created(store, queued_at=now).id for _ in range(3)}
    first = store.jobs.newest(limit=2, cursor=None)
    second = store.jobs.newest(limit=2, cursor=first.next_cursor)

    assert {job.id for job in first.entries + second.entries} == jobs


def test_a_job_whose_record_has_expired_leaves_the_index(store: Store, job: Job) -> None:
    store.client.delete(keys.job(job.id))

    assert store.jobs.newest(limit=10, cursor=None).entries == []
    assert store.client.zcard(keys.JOB_INDEX) == 0


def test_the_index_keeps_the_newest_ten_thousand(store: Store) -> None:
    store.client.zadd(keys.JOB_INDEX, {f"old_{number}": number for number in range(10_000)})
    job = created(store)

    assert store.client.zcard(keys.JOB_INDEX) == 10_000
    assert store.client.zscore(keys.JOB_INDEX, "old_0") is None
    assert store.client.zscore(keys.JOB_INDEX, job.id) is not None
