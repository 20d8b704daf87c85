"""Batches on a real worker with a real Chrome: worked off politely, and to the end whatever dies."""

import socket
from typing import Any

import pytest

from app.services.batches import BatchService
from fleet.models.batch import Batch, BatchCapture, BatchOptions, BatchState, ItemStatus
from fleet.models.job import JobState
from fleet.store.batches import Item
from tests.integration.redis_server import RedisServer
from tests.integration.worker.processes import kill
from tests.integration.worker.running_fleet import HTML_OUTPUT, RunningFleet
from tests.pages.server import PagesServer
from tests.polling import eventually

# With a machine that is busy.
_SECONDS = 120
CAPTURE = {"outputs": [HTML_OUTPUT]}


class RunningBatch:
    def __init__(
        self, fleet: RunningFleet, urls: list[str], *, capture: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self._fleet = fleet
        self._service: BatchService = fleet.services.batches
        accepted = self._service.accept(
            BatchOptions(**options),
            BatchCapture.model_validate(capture or CAPTURE),
            [Item(url) for url in urls],
            "req-test",
        )
        self.id = accepted.batch.id

    def now(self) -> Batch:
        return self._service.get(self.id)

    def items(self) -> list[ItemStatus]:
        return self._service.items(self.id, state=None, first=0, limit=200).items

    def states(self) -> list[JobState]:
        return [item.state for item in self.items()]

    def end(self) -> Batch:
        eventually(lambda: self.now().state is BatchState.ENDED, seconds=_SECONDS)
        return self.now()

    def html(self, index: int) -> str:
        (artifact,) = self.items()[index].artifacts
        return self._fleet.content(artifact.id).decode()

    def pause(self) -> None:
        self._service.pause(self.id)

    def resume(self) -> None:
        self._service.resume(self.id)

    def cancel(self) -> None:
        self._service.cancel(self.id)

    def retry(self) -> None:
        self._service.retry(self.id)


def is_asked_for(pages: PagesServer, path: str) -> None:
    """Once it is."""
    eventually(lambda: pages.requests(path), seconds=_SECONDS)


def test_each_item_is_captured(fleet: RunningFleet, pages: PagesServer) -> None:
    batch = RunningBatch(fleet, [f"{pages.url}/plain?{number}" for number in range(12)])
    ended = batch.end()

    assert (ended.counts.succeeded, ended.counts.total) == (12, 12)
    assert "Plain" in batch.html(0)
    assert {item.tries for item in batch.items()} == {1}


def test_its_jobs_are_gone_from_all_queues(fleet: RunningFleet, pages: PagesServer) -> None:
    RunningBatch(fleet, [f"{pages.url}/plain?{number}" for number in range(3)]).end()

    assert fleet.store.waiting.length("batches") == 0


def test_one_host_is_not_asked_for_more_at_once_than_was_said(own_fleet: RunningFleet, pages: PagesServer) -> None:
    other_host = pages.url.replace("127.0.0.1", "localhost")
    urls = [f"{pages.url}/gate/polite-1", f"{pages.url}/gate/polite-2", f"{other_host}/counted"]
    batch = RunningBatch(own_fleet, urls, per_host_concurrency=1)
    eventually(lambda: batch.states()[2] is JobState.SUCCEEDED, seconds=_SECONDS)
    is_asked_for(pages, "/gate/polite-1")

    assert pages.requests("/gate/polite-2") == 0

    pages.open_gate("polite-1")
    is_asked_for(pages, "/gate/polite-2")
    pages.open_gate("polite-2")

    assert batch.end().counts.succeeded == 3


def test_a_single_capture_does_not_wait_for_a_batch(own_fleet: RunningFleet, pages: PagesServer) -> None:
    batch = RunningBatch(own_fleet, [f"{pages.url}/gate/long?{number}" for number in range(50)])
    # As many as batches may have in hand of one worker.
    eventually(lambda: pages.requests("/gate/long") == 3, seconds=_SECONDS)
    single = own_fleet.capture(f"{pages.url}/plain", outputs=[HTML_OUTPUT])

    assert own_fleet.end_of(single).state is JobState.SUCCEEDED
    assert batch.now().counts.succeeded == 0

    batch.cancel()
    batch.end()


def test_a_site_that_is_down_is_tried_again(fleet: RunningFleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    batch = RunningBatch(fleet, [f"http://127.0.0.1:{port}/"], retries=1)
    ended = batch.end()
    (item,) = batch.items()

    assert (item.state, item.tries) == (JobState.FAILED, 2)
    assert ended.errors == {"connection_refused": 1}


def test_a_paused_batch_goes_on_once_it_is_resumed(fleet: RunningFleet, pages: PagesServer) -> None:
    batch = RunningBatch(fleet, [f"{pages.url}/gate/paused", f"{pages.url}/counted?paused"], concurrency=1)
    is_asked_for(pages, "/gate/paused")
    batch.pause()
    pages.open_gate("paused")
    eventually(lambda: batch.states()[0] is JobState.SUCCEEDED, seconds=_SECONDS)

    assert batch.states()[1] is JobState.QUEUED

    batch.resume()

    assert batch.end().counts.succeeded == 2


def test_a_cancelled_batch_stops_what_runs(fleet: RunningFleet, pages: PagesServer) -> None:
    batch = RunningBatch(fleet, [f"{pages.url}/gate/cancelled", f"{pages.url}/plain"], concurrency=1)
    is_asked_for(pages, "/gate/cancelled")
    batch.cancel()

    assert batch.end().counts.cancelled == 2
    assert batch.items()[0].error is not None


def test_what_was_cancelled_is_captured_on_a_retry(fleet: RunningFleet, pages: PagesServer) -> None:
    batch = RunningBatch(fleet, [f"{pages.url}/gate/retried", f"{pages.url}/plain"], concurrency=1)
    is_asked_for(pages, "/gate/retried")
    batch.cancel()
    batch.end()
    pages.open_gate("retried")
    batch.retry()

    assert batch.end().counts.succeeded == 2


def test_a_batch_in_a_session_is_captured_with_its_cookies(fleet: RunningFleet, pages: PagesServer) -> None:
    session_id = fleet.session()
    fleet.end_of(fleet.capture_in(session_id, f"{pages.url}/cookie", outputs=[HTML_OUTPUT]))
    batch = RunningBatch(fleet, [f"{pages.url}/headers?{number}" for number in range(3)], session_id=session_id)

    assert batch.end().counts.succeeded == 3
    assert all("visits=1" in batch.html(index) for index in range(3))


@pytest.mark.parametrize("victim", ["child", "worker"])
def test_each_item_has_one_outcome_although_its_worker_dies(
    own_fleet: RunningFleet, pages: PagesServer, victim: str
) -> None:
    urls = [f"{pages.url}/gate/dies-{victim}", *(f"{pages.url}/plain?{number}" for number in range(9))]
    batch = RunningBatch(own_fleet, urls, retries=0)
    is_asked_for(pages, f"/gate/dies-{victim}")
    job_id = batch.items()[0].job_id or ""
    if victim == "child":
        child = eventually(lambda: own_fleet.worker.child_of(job_id), seconds=_SECONDS)
        assert child is not None
        kill([child])
    else:
        own_fleet.worker.kill_all()
        own_fleet.worker.wait()
        own_fleet.worker.begin()
    pages.open_gate(f"dies-{victim}")
    ended = batch.end()

    assert ended.counts.succeeded == 10
    assert len({artifact.id for item in batch.items() for artifact in item.artifacts}) == 10


def test_each_item_has_one_outcome_although_redis_goes_away(
    own_fleet: RunningFleet, own_redis: RedisServer, pages: PagesServer
) -> None:
    urls = [f"{pages.url}/gate/outage-of-a-batch", *(f"{pages.url}/plain?{number}" for number in range(9))]
    batch = RunningBatch(own_fleet, urls, retries=0)
    is_asked_for(pages, "/gate/outage-of-a-batch")
    own_redis.stop()
    pages.open_gate("outage-of-a-batch")
    own_redis.start()
    ended = batch.end()

    assert ended.counts.succeeded == 10
    assert len({artifact.id for item in batch.items() for artifact in item.artifacts}) == 10
