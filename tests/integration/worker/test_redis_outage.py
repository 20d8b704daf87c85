"""Redis goes away in the middle of jobs and comes back: they all end, in the same worker."""

import time
from contextlib import ExitStack
from pathlib import Path

from fleet.models.job import JobState
from tests.integration.redis_server import RedisServer
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.test_lost_parts import TwoWorkers, session_of, visited, visits_before
from tests.pages.server import PagesServer
from tests.polling import eventually

_OUTAGE_SECONDS = 3
# Longer than a worker's lease runs.
_LONG_OUTAGE_SECONDS = 18


def test_jobs_outlast_an_outage_of_redis(own_fleet: RunningFleet, own_redis: RedisServer, pages: PagesServer) -> None:
    running = [own_fleet.capture(f"{pages.url}/gate/outage") for _ in range(4)]
    eventually(lambda: all(map(own_fleet.runs, running)), seconds=30)
    waiting = [own_fleet.capture(f"{pages.url}/plain") for _ in range(4)]
    own_redis.stop()
    pages.open_gate("outage")
    # How long Redis is away is the subject here; nothing is waited for.
    time.sleep(_OUTAGE_SECONDS)
    own_redis.start()
    jobs = [own_fleet.end_of(job_id) for job_id in (*running, *waiting)]
    assert [(job.state, job.attempts) for job in jobs] == [(JobState.SUCCEEDED, 1)] * 8
    assert own_fleet.end_of(own_fleet.capture(f"{pages.url}/plain")).state is JobState.SUCCEEDED


def test_a_worker_that_is_started_while_redis_is_away_does_what_its_earlier_life_had_in_hand(
    own_fleet: RunningFleet, own_redis: RedisServer, pages: PagesServer
) -> None:
    is_open = pages.next_request("/gate/in-an-earlier-life")
    job_id = own_fleet.capture(f"{pages.url}/gate/in-an-earlier-life")
    eventually(is_open, seconds=30)
    own_fleet.worker.kill_all()
    own_fleet.worker.wait()
    own_redis.stop()
    own_fleet.worker.begin()
    eventually(lambda: "waits for Redis" in own_fleet.worker.log_text, seconds=30)
    own_redis.start()
    pages.open_gate("in-an-earlier-life")
    job = own_fleet.end_of(job_id)
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2), job.error


def test_sessions_outlive_an_outage_that_is_longer_than_a_lease(
    own_redis: RedisServer, tmp_path: Path, pages: PagesServer
) -> None:
    with ExitStack() as stack:
        two = TwoWorkers(stack, own_redis.url, tmp_path)
        fleet = two.fleet
        session_id = visited(fleet, pages)
        two.start_second()
        own_redis.stop()
        # How long Redis is away is the subject here; nothing is waited for.
        time.sleep(_LONG_OUTAGE_SECONDS)
        own_redis.start()
        assert visits_before(fleet, session_id, pages) == {"cookie": 1, "storage": 1}
        session = session_of(fleet, session_id)
        assert (session.worker, session.generation) == (two.first.name, 1)
