"""The processes of this worker: written down, for whoever ends what is left of them; measured, for the memory guard."""

import asyncio
import os

from workers.browser_host.memory_guard import MemoryGuard
from workers.browser_host.node_usage import NodeMeter, NodeUsage
from workers.process_record import ProcessRecord
from workers.process_table import tree


class NodeWatch:
    def __init__(self, record: ProcessRecord, meter: NodeMeter, guard: MemoryGuard) -> None:
        self._record = record
        self._meter = meter
        self._guard = guard

    async def look(self) -> NodeUsage:
        await asyncio.to_thread(self._write_down)
        usage = await asyncio.to_thread(self._meter.measure)
        self._guard.look(usage)
        return usage

    def _write_down(self) -> None:
        self._record.write(tree(os.getpid()))
