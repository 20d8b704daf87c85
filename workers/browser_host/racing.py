"""Work that an event makes pointless: Playwright's calls do not always end when their page or Chrome does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from fleet.errors import FleetError

T = TypeVar("T")


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T], error: FleetError) -> T:
    """The work's result. Raises `error` as soon as the event is set, and gives the work up."""
    return await beside(_raise_when(event, error), work)


async def _raise_when(event: asyncio.Event, error: FleetError) -> NoReturn:
    await event.wait()
    raise error


async def beside(watch: Coroutine[Any, Any, None], work: Coroutine[Any, Any, T]) -> T:
    """The work's result. Raises what `watch` raises as soon as it does, and gives the work up."""
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(watch)
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            watching.result()
        return await working
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
