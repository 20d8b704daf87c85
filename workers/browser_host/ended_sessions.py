"""Sessions of this host that have ended, or are another's by now: their contexts are closed, their slots given back."""

import asyncio

import structlog

from fleet.models.session import EndReason
from fleet.store import Store
from workers.browser_host.background import Background
from workers.browser_host.sessions import Sessions
from workers.metrics import WorkerCounts

_log = structlog.get_logger(__name__)


class EndedSessions:
    def __init__(self, store: Store, sessions: Sessions, counts: WorkerCounts, *, worker_name: str) -> None:
        self._store = store
        self._sessions = sessions
        self._counts = counts
        self._name = worker_name
        self._background = Background()

    def on_ended(self, session_id: str) -> None:
        """One that was held a moment ago may be gone."""
        if self._sessions.is_held(session_id):
            self._background.begin(self.close(session_id))

    def look(self, session_id: str) -> None:
        """It may have ended before anybody listened for it."""
        self._background.begin(self._look(session_id))

    async def _look(self, session_id: str) -> None:
        if session_id not in await asyncio.to_thread(self._store.sessions.workers_of, [session_id]):
            self.on_ended(session_id)

    async def close(self, session_id: str) -> None:
        if await self._sessions.close(session_id):
            await asyncio.to_thread(self._count_expiry, session_id)
            # One that nobody ended left them behind: only a script could have taken them along.
            await asyncio.to_thread(self._store.responses.clear, session_id)
        await asyncio.to_thread(self._store.slots.release, self._name, session_id)

    def _count_expiry(self, session_id: str) -> None:
        """Others count the sessions that they end; one whose time ran out was ended by nobody."""
        ending = self._store.sessions.ending(session_id)
        if ending is None or session_id in self._store.sessions.workers_of([session_id]):
            # Another worker's by now.
            return
        _log.info("session ended by the store", session=session_id, reason=ending.end_reason.value)
        if ending.end_reason in {EndReason.IDLE, EndReason.MAX_LIFETIME}:
            self._counts.session_ended(ending.end_reason)
