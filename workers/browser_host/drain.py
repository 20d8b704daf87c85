"""Closes every session once its job is done, for another worker to take."""

import asyncio

import structlog

from fleet.store.session_moves import SessionMoveStore
from workers.browser_host.checkpoints import Checkpoints
from workers.browser_host.sessions import HeldSession, Sessions

_log = structlog.get_logger(__name__)


class Drain:
    def __init__(
        self, sessions: Sessions, checkpoints: Checkpoints, moves: SessionMoveStore, *, worker_name: str
    ) -> None:
        self._sessions = sessions
        self._checkpoints = checkpoints
        self._moves = moves
        self._name = worker_name

    async def run(self) -> None:
        held = self._sessions.all
        if held:
            _log.info("draining", sessions=len(held))
        await asyncio.gather(*(self._close(one) for one in held))

    async def _close(self, held: HeldSession) -> None:
        async with held.busy:
            await self._checkpoints.take(held)
            await asyncio.to_thread(self._moves.drain, held.id, self._name)
            await self._sessions.close(held.id)
