"""Contexts that are gone are rebuilt in the background, rather than at their sessions' next use."""

import asyncio

from fleet.store import Store
from workers.browser_host.background import Background
from workers.browser_host.gate import Gate
from workers.browser_host.sessions import Sessions

# A few at a time, so that the jobs that wait get their share of Chrome.
_AT_ONCE = 2


class Rebuilds:
    def __init__(self, store: Store, sessions: Sessions, gate: Gate, *, worker_name: str) -> None:
        self._store = store
        self._sessions = sessions
        self._gate = gate
        self._name = worker_name
        self._background = Background()

    async def take_up(self) -> None:
        """Those that the store says this worker holds: its host, or all of it, has been started anew."""
        for session_id in await asyncio.to_thread(self._held_before):
            self._sessions.expect(session_id)

    def _held_before(self) -> list[str]:
        workers = self._store.sessions.workers_of(self._store.slots.holders(self._name))
        return [session_id for session_id, worker in workers.items() if worker == self._name]

    def begin(self, session_ids: list[str]) -> None:
        self._background.begin(self._rebuild(session_ids))

    async def _rebuild(self, session_ids: list[str]) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def rebuild(session_id: str) -> None:
            async with turns, self._gate.passed():
                await self._sessions.ensure_open(session_id)

        await asyncio.gather(*(rebuild(session_id) for session_id in session_ids))
