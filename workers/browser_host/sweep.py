"""A host's regular round: what was missed when sessions ended, moved or were created."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from fleet.store import Store
from workers.browser_host.sessions import Sessions

_log = structlog.get_logger(__name__)

# A slot without a context is given back after this; a child waits for its host for at most 15 s.
_UNHELD_SECONDS = 60.0


class Sweep:
    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        *,
        worker_name: str,
        close_ended: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._name = worker_name
        self._close_ended = close_ended
        self._unheld_since: dict[str, float] = {}

    async def run(self) -> None:
        """Closes contexts of sessions that are over or elsewhere, and compares slots with what is held."""
        held = self._sessions.ids
        workers = await asyncio.to_thread(self._store.sessions.workers_of, held)
        for session_id in held:
            # A session that is still being created has no worker yet.
            if session_id not in workers or workers[session_id] not in {None, self._name}:
                await self._close_ended(session_id)
        for session_id in await asyncio.to_thread(self._sweep_slots, set(self._sessions.ids)):
            self._sessions.expect(session_id)
        await asyncio.to_thread(self._store.waiting.look)

    def _sweep_slots(self, held: set[str]) -> list[str]:
        """Gives back slots of sessions that are over or elsewhere, or whose creation never came; the other way round,
        the sessions that this worker should hold and does not.
        """
        unheld = set(self._store.slots.holders(self._name)) - held
        workers = self._store.sessions.workers_of(sorted(unheld))
        mine = [session_id for session_id, worker in workers.items() if worker == self._name]
        # A slot is claimed before its context is opened, and before its session has a worker.
        coming = self._coming({session_id for session_id, worker in workers.items() if worker is None})
        for session_id in unheld.difference(mine, coming):
            self._store.slots.release(self._name, session_id)
            _log.warning("slot without a context released", session=session_id)
        return mine

    def _coming(self, claimed: set[str]) -> set[str]:
        now = time.monotonic()
        self._unheld_since = {session_id: self._unheld_since.get(session_id, now) for session_id in claimed}
        return {session_id for session_id, since in self._unheld_since.items() if now - since <= _UNHELD_SECONDS}
