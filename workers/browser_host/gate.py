"""What all work in Chrome passes, so that Chrome can be replaced at a moment when nothing runs in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._opened.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._inside = 0

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Waits while the gate is closed."""
        await self._opened.wait()
        self._inside += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._idle.set()

    @asynccontextmanager
    async def closed(self, patience_seconds: float) -> AsyncIterator[None]:
        """Nothing is inside. Raises TimeoutError if what was inside took longer than that to end."""
        self._opened.clear()
        try:
            async with asyncio.timeout(patience_seconds):
                await self._idle.wait()
            yield
        finally:
            self._opened.set()
