"""How many sessions there are in each state, and how many jobs wait on their lists."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import cast

from fleet import keys
from fleet.models.base import Record
from fleet.models.session import SessionState
from fleet.store.connection import RedisClient

# Up to so many are looked at each time that somebody asks; of more, the last count is told for a while.
COUNTED_EACH_TIME_MAX = 500
# More than a fleet will hold; newest first.
_SESSIONS_MAX = 100_000
_AT_ONCE = 1_000


class SessionCounts(Record):
    """`jobs_waiting`: behind the one that runs."""

    by_state: dict[SessionState, int]
    jobs_waiting: int


class SessionCountStore:
    def __init__(self, client: RedisClient, *, each_time_max: int = COUNTED_EACH_TIME_MAX) -> None:
        self._client = client
        self._each_time_max = each_time_max

    def read(self) -> SessionCounts:
        """In a large fleet as it was at most `keys.SESSION_COUNTS_SECONDS` ago."""
        newest = cast("list[str]", self._client.zrevrange(keys.SESSION_INDEX, 0, self._each_time_max))
        if len(newest) <= self._each_time_max:
            return self._count([newest])
        noted = cast("str | None", self._client.get(keys.SESSION_COUNTS))
        if noted is not None:
            return SessionCounts.model_validate_json(noted)
        counts = self._count(self._all())
        self._client.set(keys.SESSION_COUNTS, counts.model_dump_json(), ex=keys.SESSION_COUNTS_SECONDS)
        return counts

    def _all(self) -> Iterator[list[str]]:
        ids = iter(cast("list[str]", self._client.zrevrange(keys.SESSION_INDEX, 0, _SESSIONS_MAX - 1)))
        while some := list(islice(ids, _AT_ONCE)):
            yield some

    def _count(self, batches: Iterator[list[str]] | list[list[str]]) -> SessionCounts:
        found = [one for session_ids in batches for one in self._read(session_ids)]
        return SessionCounts(
            by_state=dict(Counter(state for state, _ in found)),
            jobs_waiting=sum(_waiting(state, jobs) for state, jobs in found),
        )

    def _read(self, session_ids: list[str]) -> list[tuple[SessionState, int]]:
        """State and number of jobs on the list, of those that have not ended."""
        with self._client.pipeline(transaction=False) as batch:
            for session_id in session_ids:
                batch.hget(keys.session(session_id), "state")
                batch.llen(keys.session_jobs(session_id))
            answers = batch.execute()
        states, jobs = answers[::2], answers[1::2]
        ended = [one for one, state in zip(session_ids, states, strict=True) if state is None]
        if ended:
            # As whoever lists them does: nobody else looks at those that ended by their TTL.
            self._client.zrem(keys.SESSION_INDEX, *ended)
        return [(SessionState(state), count) for state, count in zip(states, jobs, strict=True) if state]


def _waiting(state: SessionState, jobs: int) -> int:
    """The head of the list runs; a creation waits in its queue, and nothing runs in a session without a context."""
    return jobs if state in {SessionState.RESTORING, SessionState.DRAINING} else max(0, jobs - 1)
