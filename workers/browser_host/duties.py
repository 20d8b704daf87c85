"""What a host does again and again, each duty at its own pace."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from fleet.errors import FleetError

_log = structlog.get_logger(__name__)

Duty = Callable[[], Awaitable[None]]


class Duties:
    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, seconds: float, duty: Duty, *, at_once_when: asyncio.Event | None = None) -> None:
        """At once, and again that long after each end. A round that fails is logged and does not end the duty."""
        self._tasks.append(asyncio.create_task(_every(seconds, duty, at_once_when or asyncio.Event())))

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _every(seconds: float, duty: Duty, wake: asyncio.Event) -> None:
    while True:
        wake.clear()
        try:
            await duty()
        except FleetError as error:
            _log.warning("duty not done", duty=duty.__name__, code=error.code, cause=error.message)
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            _log.exception("duty failed", duty=duty.__name__)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()
