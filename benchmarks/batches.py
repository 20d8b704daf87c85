"""What a large batch costs without Chrome: `make batches`, or `python -m benchmarks.batches` (ITEMS=100000).

One batch of trivial items is sent to the API and worked off by a simulated worker. Prints the bytes that Redis takes
for each item, by key; the memory of the process that accepts and feeds, before and after; and items per second. Needs a
Redis (FLEET_REDIS_URL) whose database is empty, and leaves it so. docs/decisions/0022 has the figures.
"""

import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any

import psutil

from app.factory import create_app
from fleet.clock import utc_now
from fleet.ids import new_id
from fleet.models.artifact import Artifact, StoredArtifact
from fleet.models.job import JobState
from fleet.models.manifest import Manifest, Timings
from fleet.models.worker import WorkerReport
from fleet.settings import Settings
from fleet.store import Store, open_store
from workers.batch_feeder import BatchFeeder, Shares

_ITEMS = int(os.environ.get("ITEMS", "100000"))
_REPORT_EACH = 5_000
# Each capture takes turns with so many others.
_IN_HAND = 20


class _Lines(RawIOBase):
    """A list of URLs, made as it is read."""

    def __init__(self, count: int) -> None:
        self._pieces = _pieces(count)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._rest or next(self._pieces, b"")
        size = min(len(buffer), len(piece))
        buffer[:size], self._rest = piece[:size], piece[size:]
        return size


def _pieces(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield f"https://site-{number % 20:02d}.example/catalogue/products/{number:06d}?ref=list\n".encode()


class _QuietQueue:
    """The API sends nothing for a batch."""

    def send_capture(self, job_id: str) -> None: ...

    def send_session_creation(self, session_id: str, job: object = None) -> None: ...

    def send_session_job(self, session_id: str, worker: str, job: object = None) -> None: ...


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        settings = Settings(artifacts_url=f"file:{Path(folder)}")
        store = open_store(settings, retries=3)
        if store.client.dbsize():
            sys.exit("FLEET_REDIS_URL: its database is not empty.")
        try:
            _measure(settings, store)
        finally:
            store.client.flushdb()


def _measure(settings: Settings, store: Store) -> None:
    batch_id = _accept(settings, store)
    print(f"\naccepted; Redis, bytes per item: {_per_item(store)}")
    _work_off(store)
    print(f"\nworked off; Redis, bytes per item: {_per_item(store)}")
    batch = store.batches.get(batch_id)
    assert batch is not None  # just worked off
    print(f"outcomes: {batch.counts.succeeded} of {batch.counts.total}, {batch.state.value}")


def _accept(settings: Settings, store: Store) -> str:
    client = create_app(settings, store=store, queue=_QuietQueue()).test_client()
    before, started = _memory_mb(), time.monotonic()
    size = _ITEMS * len(next(_pieces(1)))
    answer = client.post(
        "/api/batches?per_host_concurrency=100&concurrency=100",
        content_type="text/plain",
        environ_overrides={"wsgi.input": BufferedReader(_Lines(_ITEMS)), "CONTENT_LENGTH": str(size)},
    )
    print(f"accepted in {time.monotonic() - started:.1f} s; memory {before:.0f} → {_memory_mb():.0f} MB")
    batch_id: str = answer.get_json()["batch"]["id"]
    return batch_id


def _work_off(store: Store) -> None:
    waiting: list[str] = []
    feeder = BatchFeeder(
        store,
        Shares(alone=_IN_HAND, beside=_IN_HAND, session_jobs=1),
        lambda _task, job_id, _queue: waiting.append(job_id),
    )
    started, done = time.monotonic(), 0
    while True:
        if done % _REPORT_EACH == 0:
            _report_worker(store)
            rate = done / (time.monotonic() - started)
            print(f"{done} done, {rate:.0f} per second, memory {_memory_mb():.0f} MB", flush=True)
        if not waiting and not feeder.feed():
            return
        _run(store, feeder, waiting.pop(0))
        done += 1


def _run(store: Store, feeder: BatchFeeder, job_id: str) -> None:
    """What a worker does to the store for one capture."""
    job = store.jobs.get(job_id)
    assert job is not None  # the feeder just made it
    store.waiting.leave("batches", job_id)
    running = store.jobs.move(job, JobState.RUNNING, worker="bench@simulated", attempts=1, started_at=utc_now())
    assert running is not None  # nobody else runs it
    artifact = Artifact(
        id=new_id("art"), kind="screenshot", media_type="image/png", bytes=20_000, sha256="0" * 64, width=1280,
        height=720, expires_at=utc_now() + timedelta(days=7),
    )  # fmt: skip
    store.artifacts.put(StoredArtifact(artifact=artifact, location=f"2026-11-22T20/{artifact.id}"))
    url = "https://site.example/"
    manifest = Manifest(
        url=url, final_url=url, status=200, title="A product of the catalogue", browser_version="1",
        timings=Timings(), artifacts=[artifact],
    )  # fmt: skip
    ended = store.jobs.move(running, JobState.SUCCEEDED, finished_at=utc_now(), result=manifest)
    assert ended is not None  # nobody else runs it
    feeder.job_ended(ended)


def _report_worker(store: Store) -> None:
    now = utc_now()
    # The simulated worker renews nothing while it works, so its lease begins in the future.
    report = WorkerReport(
        name="bench@simulated", started_at=now, reported_at=now + timedelta(hours=1), sessions=0, session_limit=10,
        browser_version="1", top_sessions=[],
    )  # fmt: skip
    store.workers.renew(report)


def _per_item(store: Store) -> dict[str, float]:
    """MEMORY USAGE of all keys, by kind."""
    used: Counter[str] = Counter()
    for key in store.client.scan_iter(count=1000):
        kind = re.sub(r"\{[^}]*\}|(art|bat)_[a-z2-7]+|:\d+$", "*", str(key))
        used[kind] += int(store.client.memory_usage(key, samples=0) or 0)
    return {kind: round(size / _ITEMS, 1) for kind, size in used.most_common(12) if size / _ITEMS >= 0.05}


def _memory_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


if __name__ == "__main__":
    main()
