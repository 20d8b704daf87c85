"""How a worker ends: with its jobs done, and nothing left behind."""

from fleet.models.job import JobState
from tests.integration.worker.processes import alive, descendants
from tests.integration.worker.running_fleet import RunningFleet
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
