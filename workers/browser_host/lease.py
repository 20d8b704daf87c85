"""The worker's lease: renewed with each report for as long as Chrome runs, and with it the word that it is to drain."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from fleet.errors import FleetError, StoreUnavailable
from fleet.models.worker import WorkerReport
from fleet.store.workers import WorkerStore
from workers.browser_host.background import Background
from workers.browser_host.chrome_keeper import ChromeKeeper
from workers.browser_host.drain import Drain
from workers.browser_host.gauges import HostGauges
from workers.browser_host.reports import Reports

_log = structlog.get_logger(__name__)


class Lease:
    def __init__(  # noqa: PLR0913  # whom it asks, and whom it tells
        self,
        workers: WorkerStore,
        keeper: ChromeKeeper,
        reports: Reports,
        drain: Drain,
        *,
        worker_name: str,
        gauges: HostGauges,
        on_lapse: Callable[[], None],
    ) -> None:
        """`on_lapse`: it had run out, so what this worker holds may be another's by now."""
        self._workers = workers
        self._keeper = keeper
        self._reports = reports
        self._drain = drain
        self._name = worker_name
        self._gauges = gauges
        self._on_lapse = on_lapse
        self._is_held = False
        self._draining = False
        self._background = Background()

    async def renew(self) -> None:
        try:
            await self._report()
        except StoreUnavailable:
            self._gauges.note_store(up=False)
            raise
        self._gauges.note_store(up=True)

    async def _report(self) -> None:
        report = await self._reports.make(draining=self._draining)
        if self._keeper.is_running:
            await self._renew(report)
            await self._look_for_drain()
        else:
            # A worker whose Chrome does not start lets its lease run out.
            await asyncio.to_thread(self._workers.note, report)

    async def _renew(self, report: WorkerReport) -> None:
        in_time = await asyncio.to_thread(self._workers.renew, report)
        if self._is_held and not in_time:
            _log.warning("the lease had run out; what others have taken over is given up")
            self._on_lapse()
        self._is_held = True

    async def _look_for_drain(self) -> None:
        if self._draining or await asyncio.to_thread(self._workers.is_asked_to_drain, self._name):
            self._draining = True
            # Each time: a creation that was in hand comes to run yet.
            self._background.begin(self._drain.run())

    async def leave(self) -> None:
        """This worker takes no work any more."""
        with contextlib.suppress(FleetError):
            await asyncio.to_thread(self._workers.leave, self._name)
