"""Requests that wait for the end of a job: one listening thread for all of them, no polling."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable

from fleet import keys
from fleet.models.job import Job
from fleet.store.connection import RedisClient
from fleet.store.notifications import Notifications


class JobWaiter:
    def __init__(self, client: RedisClient, *, places: int) -> None:
        """`places`: how many may wait at once; more are answered without waiting, so that threads stay free."""
        self._places = threading.BoundedSemaphore(places)
        self._waiting: dict[str, set[threading.Event]] = defaultdict(set)
        self._lock = threading.Lock()
        self._started = False
        self._stopping = threading.Event()
        self._notifications = Notifications(client, {keys.JOB_ENDED_CHANNEL: self._on_job_ended}, on_gap=self._wake_all)

    def wait(self, read: Callable[[], Job], job_id: str, seconds: float) -> Job:
        """The job as `read` gives it once it has finished, or as it stands after `seconds`."""
        job = read()
        if job.is_finished or seconds <= 0 or self._stopping.is_set() or not self._places.acquire(blocking=False):
            return job
        try:
            return self._wait(read, job_id, time.monotonic() + seconds)
        finally:
            self._places.release()

    def stop(self) -> None:
        """The API ends: all who wait are answered at once with the job as it stands, and nobody waits any more."""
        self._stopping.set()
        self._wake_all()

    def _wait(self, read: Callable[[], Job], job_id: str, deadline: float) -> Job:
        self._ensure_started()
        ended = threading.Event()
        with self._lock:
            self._waiting[job_id].add(ended)
        try:
            # Read after the registration: an end in between is seen here, a later one sets the event.
            while not (job := read()).is_finished and not self._stopping.is_set():
                if not ended.wait(max(0.0, deadline - time.monotonic())):
                    break
                ended.clear()
            return job
        finally:
            self._leave(job_id, ended)

    def _leave(self, job_id: str, ended: threading.Event) -> None:
        with self._lock:
            self._waiting[job_id].discard(ended)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _ensure_started(self) -> None:
        # Not in the constructor: gunicorn may fork after it, and threads do not survive a fork.
        with self._lock:
            if not self._started:
                self._started = True
                self._notifications.start()

    def _on_job_ended(self, job_id: str) -> None:
        with self._lock:
            for ended in self._waiting.get(job_id, ()):
                ended.set()

    def _wake_all(self) -> None:
        """After a gap in the messages each waiter looks for itself."""
        with self._lock:
            for events in self._waiting.values():
                for ended in events:
                    ended.set()
