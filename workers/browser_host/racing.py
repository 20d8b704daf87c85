"""Work that an event makes pointless: Playwright's calls do not always end when their page or Chrome does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fleet.errors import FleetError

T = TypeVar("T")


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T], error: FleetError) -> T:
    """The work's result. Raises `error` as soon as the event is set, and gives the work up."""
    task = asyncio.ensure_future(work)
    happened = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, happened}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise error
        return task.result()
    finally:
        task.cancel()
        happened.cancel()
        await asyncio.gather(task, happened, return_exceptions=True)
