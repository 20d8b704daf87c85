"""Rebuilds a session's context from what the store has: its options, its scripts, its checkpoint."""

import asyncio
import contextlib

import structlog

from fleet.errors import FleetError, SessionEnded
from fleet.models.checkpoint import Checkpoint
from fleet.models.session import EndReason, SessionRequest, SessionState
from fleet.models.waits import Goto
from fleet.store import Store
from workers.browser_host.egress_proxy import EgressProxy
from workers.browser_host.navigation import goto
from workers.browser_host.open_context import ContextOpener, OpenContext
from workers.browser_host.sessions import HeldSession

_log = structlog.get_logger(__name__)

# Of Chrome in a row, each while a job of the session ran.
_CRASHES_MAX = 3


class Restoration:
    def __init__(self, store: Store, opener: ContextOpener, egress: EgressProxy, *, worker_name: str) -> None:
        self._store = store
        self._opener = opener
        self._egress = egress
        self._worker_name = worker_name
        self.restored = 0

    async def rebuild(self, held: HeldSession) -> OpenContext:
        """A context as the session had it, in a new generation.

        Raises SessionEnded if the session has ended, is another worker's, or cannot be rebuilt (then it is ended
        here); BrowserUnavailable if it can be tried again.
        """
        request, checkpoint, scripts = await asyncio.to_thread(self._begin, held)
        state = {} if checkpoint is None else {"storage_state": checkpoint.storage_state}
        opened = await self._opener.open(held.id, request, scripts, **state)
        try:
            await self._go_back(opened, request.url if checkpoint is None else checkpoint.url)
            await asyncio.to_thread(self._finish, held, checkpoint)
        except BaseException:
            await opened.close()
            raise
        return opened

    async def readopt(self, held: HeldSession) -> bool:
        """Whether the context that it has is still the session's: nobody has rebuilt the session since.

        So it is where a worker was taken for lost, comes back, and is the one to take the session over.
        """
        return await asyncio.to_thread(self._readopt, held)

    def _readopt(self, held: HeldSession) -> bool:
        session = self._store.sessions.get(held.id)
        if session is None or (session.worker, session.generation) != (self._worker_name, held.generation):
            return False
        return session.state is SessionState.RUNNING or self._store.session_moves.start(held.id, self._worker_name)

    def _begin(self, held: HeldSession) -> tuple[SessionRequest, Checkpoint | None, dict[str, str]]:
        moved = self._store.session_moves.lose_context(held.id, self._worker_name, crashed=held.crashed)
        held.crashed = False
        options = self._store.sessions.options(held.id)
        if moved is None or options is None:
            raise SessionEnded("This worker does not hold the session any more.", end_reason="unknown")
        checkpoint = self._store.checkpoints.get(held.id)
        if moved.crashes >= _CRASHES_MAX:
            self._give_up(held, f"Chrome died {moved.crashes} times in a row while the session's jobs ran")
        if checkpoint is not None and checkpoint.failure:
            self._give_up(held, f"it has no checkpoint: {checkpoint.failure}")
        self._store.events.publish(held.id, "session", "restoring", generation=moved.generation)
        return SessionRequest.model_validate_json(options), checkpoint, self._store.scripts.sources(held.id)

    def _give_up(self, held: HeldSession, why: str) -> None:
        self._store.sessions.end(held.id, EndReason.CRASHED)
        self._store.slots.release(self._worker_name, held.id)
        _log.error("session not restored", session=held.id, cause=why)
        raise SessionEnded(f"The session ended (crashed): {why}.", end_reason=EndReason.CRASHED.value)

    async def _go_back(self, opened: OpenContext, url: str | None) -> None:
        """To the page where it was. A site that does not answer now does not cost the session."""
        if url is None or not url.startswith(("http:", "https:")):
            return
        page = await opened.ensure_page()
        with contextlib.suppress(FleetError):
            await goto(page, url, Goto(), self._egress)
            opened.chrome.idle.begin(page)
            return
        await opened.discard_page()

    def _finish(self, held: HeldSession, checkpoint: Checkpoint | None) -> None:
        moved = self._store.session_moves.restored(held.id, self._worker_name)
        if moved is None:
            raise SessionEnded("The session ended while it was being restored.", end_reason="unknown")
        held.generation = moved.generation
        self.restored += 1
        taken_at = checkpoint.taken_at.isoformat() if checkpoint else None
        self._store.events.publish(
            held.id, "session", "restored", generation=moved.generation, checkpoint_taken_at=taken_at
        )
        _log.info("session restored", session=held.id, generation=moved.generation, checkpoint_taken_at=taken_at)
