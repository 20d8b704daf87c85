"""After each job a session's checkpoint is taken, in the background and at a bounded cost."""

import asyncio
import contextlib
import time
from collections.abc import Iterable

import structlog

from fleet.clock import utc_now
from fleet.errors import CaptureFailed, FleetError, OutputTooLarge
from fleet.models.checkpoint import Checkpoint
from fleet.store.checkpoints import CheckpointStore
from workers.browser_host.open_context import OpenContext
from workers.browser_host.sessions import HeldSession
from workers.browser_host.storage_states import storage_state

_log = structlog.get_logger(__name__)

_TAKE_SECONDS = 5.0
# Of a session's time. One origin costs some 6 ms; each further one that it has visited costs 40 ms, because
# Playwright opens a page there, and a hundred of them must not stop the session's work.
_SHARE = 0.1
# An outage of the store makes one of them slow, and is not to keep the next one from being taken for long.
_PAUSE_MAX_SECONDS = 15.0
_AGAIN_SECONDS = 1.0
# All last ones together.
_LAST_SECONDS = 6.0


class Checkpoints:
    def __init__(self, store: CheckpointStore, worker_name: str) -> None:
        self._store = store
        self._worker_name = worker_name

    def after_use(self, held: HeldSession) -> None:
        if held.checkpointing is None:
            held.checkpointing = asyncio.create_task(self._take_when_due(held))

    async def _take_when_due(self, held: HeldSession) -> None:
        await asyncio.sleep(held.checkpoint_after - time.monotonic())
        async with held.busy:
            # A job that ends from here on asks for another one.
            held.checkpointing = None
            started = time.monotonic()
            is_taken = await self.take(held)
            took = time.monotonic() - started
            held.checkpoint_after = time.monotonic() + min(_PAUSE_MAX_SECONDS, took * (1 / _SHARE - 1))
            if not is_taken:
                # What hindered it passes; until then the session may be used no more.
                held.checkpoint_after = max(held.checkpoint_after, time.monotonic() + _AGAIN_SECONDS)
                self.after_use(held)

    async def take(self, held: HeldSession) -> bool:
        """Now; the caller holds `busy`. False: Chrome or the store is away, or the page hangs."""
        if held.opened is None:
            return True
        try:
            checkpoint = await _checkpoint(held.opened)
            await asyncio.to_thread(self._store.keep, held.id, self._worker_name, checkpoint)
        except FleetError as error:
            # The one before this is better than none.
            _log.warning("no checkpoint", session=held.id, code=error.code)
            return False
        return True

    async def take_last(self, sessions: Iterable[HeldSession]) -> None:
        """Whoever takes the sessions over goes on from there."""

        async def take(held: HeldSession) -> None:
            async with held.busy:
                await self.take(held)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await asyncio.gather(*(take(held) for held in sessions))


async def _checkpoint(opened: OpenContext) -> Checkpoint:
    """Raises BrowserUnavailable or CaptureFailed."""
    url = opened.page.url if opened.page is not None else None
    try:
        return Checkpoint(taken_at=utc_now(), url=url, storage_state=await _storage_state(opened))
    except OutputTooLarge as error:
        return Checkpoint(taken_at=utc_now(), url=url, failure=error.message)


async def _storage_state(opened: OpenContext) -> dict[str, object]:
    try:
        async with asyncio.timeout(_TAKE_SECONDS):
            return await storage_state(opened.context)
    except TimeoutError as error:
        # Playwright asks the page, which hangs. Without it the next one asks the origin.
        await opened.discard_page()
        raise CaptureFailed("The page does not answer.") from error
