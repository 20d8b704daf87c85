"""How a worker ends: with its jobs done, and nothing left behind."""

import os
import signal
from pathlib import Path

from fleet.models.job import JobState
from fleet.settings import Settings
from fleet.store import open_store
from tests.integration.redis_server import RedisServer
from tests.integration.worker.processes import alive, children, chrome_under, descendants, kill
from tests.integration.worker.running_fleet import RunningFleet
from tests.integration.worker.worker import Worker
from tests.pages.server import PagesServer
from tests.polling import eventually


def test_a_worker_that_is_told_to_stop_finishes_its_job_and_leaves_nothing(
    own_fleet: RunningFleet, pages: PagesServer
) -> None:
    worker = own_fleet.worker
    is_open = pages.next_request("/gate/shutdown")
    job_id = own_fleet.capture(f"{pages.url}/gate/shutdown")
    eventually(is_open, seconds=30)
    processes = worker.processes()
    worker.terminate()
    pages.open_gate("shutdown")
    assert worker.wait() == 0
    assert own_fleet.job(job_id).state is JobState.SUCCEEDED
    assert alive(processes) == []
    assert list(worker.temporary.iterdir()) == []


def test_host_and_chrome_end_with_a_parent_that_is_killed(own_fleet: RunningFleet) -> None:
    worker = own_fleet.worker
    host = worker.host()
    held = [host, *descendants(host)]
    worker.kill()
    eventually(lambda: not alive(held), seconds=20)


def test_idle_children_end_with_a_parent_that_is_killed(own_fleet: RunningFleet) -> None:
    worker = own_fleet.worker
    own_fleet.end_of(own_fleet.capture(html="<p>All children are there"))
    processes = worker.processes()
    worker.kill()
    eventually(lambda: not alive(processes), seconds=20)


def test_a_host_whose_parent_was_killed_removes_its_own_folder(own_fleet: RunningFleet) -> None:
    worker = own_fleet.worker
    worker.kill()
    eventually(lambda: list(worker.temporary.glob("fleet-host-*")) == [], seconds=20)


def test_all_folders_end_with_a_parent_that_is_killed(own_fleet: RunningFleet) -> None:
    worker = own_fleet.worker
    own_fleet.end_of(own_fleet.capture(html="<p>All children are there"))
    worker.kill()
    eventually(lambda: list(worker.temporary.iterdir()) == [], seconds=20)


def test_nothing_of_a_host_that_is_killed_lives_on(own_fleet: RunningFleet) -> None:
    host = own_fleet.worker.host()
    held = descendants(host)
    kill([host])
    eventually(lambda: not alive(held), seconds=20)


def test_a_chrome_that_hangs_ends_with_its_worker(own_fleet: RunningFleet) -> None:
    worker = own_fleet.worker
    host = worker.host()
    held = [host, *descendants(host)]
    (chrome,) = chrome_under(host)
    os.kill(chrome, signal.SIGSTOP)
    worker.terminate()
    worker.wait()
    assert alive(held) == []


def test_a_chrome_that_hangs_ends_with_a_parent_that_is_killed(own_fleet: RunningFleet) -> None:
    worker = own_fleet.worker
    host = worker.host()
    held = [host, *descendants(host)]
    (chrome,) = chrome_under(host)
    os.kill(chrome, signal.SIGSTOP)
    worker.kill()
    eventually(lambda: not alive(held), seconds=30)


def test_what_outlives_a_killed_worker_ends_as_the_next_one_starts(own_redis: RedisServer, tmp_path: Path) -> None:
    settings = Settings(redis_url=own_redis.url, artifacts_url=f"file:{tmp_path / 'artifacts'}")
    store = open_store(settings, retries=14)
    dead = Worker(settings, store, tmp_path, concurrency=1)
    with dead:
        host = dead.host()
        held = descendants(host)
        # What hangs ends with nobody.
        for pid in chrome_under(host):
            os.kill(pid, signal.SIGSTOP)
        kill([host, *children(host), dead.pid])
        dead.wait()
        assert alive(held) != []
        (folder,) = dead.temporary.glob("fleet-host-*")
        following = Worker(settings, store, tmp_path, concurrency=1, label="next", temporary=dead.temporary)
        with following:
            assert alive(held) == []
            assert not folder.exists()
    store.client.close()
