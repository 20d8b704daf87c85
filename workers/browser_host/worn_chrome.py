"""A Chrome that is worn gives way to a fresh one, at a moment when nothing runs in it."""

from workers.browser_host.checkpoints import Checkpoints
from workers.browser_host.chrome_keeper import ChromeKeeper
from workers.browser_host.gate import Gate
from workers.browser_host.sessions import Sessions
from workers.metrics import WorkerCounts

# How long work may take to end before Chrome is replaced; new work waits meanwhile.
_QUIET_SECONDS = 10.0


class WornChrome:
    def __init__(
        self, keeper: ChromeKeeper, sessions: Sessions, checkpoints: Checkpoints, gate: Gate, counts: WorkerCounts
    ) -> None:
        self._keeper = keeper
        self._sessions = sessions
        self._checkpoints = checkpoints
        self._gate = gate
        self._counts = counts

    async def look(self) -> None:
        if not self._keeper.is_worn:
            return
        async with self._gate.closed(_QUIET_SECONDS):
            for held in self._sessions.all:
                async with held.busy:
                    await self._checkpoints.take(held)
                    await self._sessions.park(held)
                    self._counts.sessions_parked.labels("worn").inc()
            await self._keeper.replace()
