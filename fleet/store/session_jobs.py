"""The jobs of one session: one at a time, in the order in which they were accepted.

A Celery message is only a wake-up. It claims the head of the session's list under the session's lock, runs
it, and releases both; a wake-up that finds the lock taken has nothing to do, because the release says how
many jobs wait and the releasing runner sends the next wake-up.
"""

import contextlib
from typing import cast

from fleet import keys
from fleet.errors import StoreUnavailable
from fleet.store.connection import RedisClient, script


class SessionJobStore:
    def __init__(self, client: RedisClient, *, lock_seconds: int) -> None:
        self._client = client
        self._lock_ms = lock_seconds * 1000
        self._claim = script(client, "claim_session_job")
        self._release = script(client, "release_session_job")

    def claim(self, session_id: str, runner: str) -> str | None:
        """The id of the job that `runner` is to run now, or None if there is nothing for it to do."""
        job_id = self._claim(
            keys=[keys.session_jobs(session_id), keys.session_lock(session_id)], args=[runner, self._lock_ms]
        )
        return cast("str | None", job_id)

    def release(self, session_id: str, runner: str, job_id: str) -> int:
        """Takes the job off the list; the number of jobs that wait behind it."""
        waiting = self._release(
            keys=[keys.session_jobs(session_id), keys.session_lock(session_id)], args=[runner, job_id]
        )
        return int(waiting)

    def unlock(self, session_id: str, runner: str) -> None:
        """Gives the claim back; the job stays at the head of the list."""
        self.release(session_id, runner, "")

    def try_remove(self, session_id: str, job_id: str) -> None:
        """Takes back a job that could not be accepted; one that stays finds no record and is passed over."""
        with contextlib.suppress(StoreUnavailable):
            self._client.lrem(keys.session_jobs(session_id), 1, job_id)

    def position(self, session_id: str, job_id: str) -> int | None:
        """1 is the job that runs now or next; None: not on the list."""
        rank = cast("int | None", self._client.lpos(keys.session_jobs(session_id), job_id))
        return None if rank is None else rank + 1
