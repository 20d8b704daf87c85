"""The persistent scripts of a context: what the store has, the context follows."""

import asyncio
from typing import Protocol

from playwright.async_api import BrowserContext

from workers.browser_host.translation import page_errors

# Chrome names a script's errors after this.
_URL = "fleet-script://"


class _Added(Protocol):
    async def close(self) -> None:
        """Removes the script from the context."""


class ContextScripts:
    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._added: dict[str, _Added] = {}
        self._following = asyncio.Lock()

    async def follow(self, wanted: dict[str, str]) -> None:
        """`wanted`: source by id, in the order in which they are to run. Raises BrowserUnavailable or CaptureFailed.

        Holds for documents that are opened from now on.
        """
        # To its end also when the job is cancelled: a script that was added but not noted could never be removed.
        following = asyncio.ensure_future(self._follow(wanted))
        following.add_done_callback(_hear)
        with page_errors():
            await asyncio.shield(following)

    async def _follow(self, wanted: dict[str, str]) -> None:
        async with self._following:
            for script_id in self._added.keys() - wanted.keys():
                await self._added[script_id].close()
                del self._added[script_id]
            for script_id, source in wanted.items():
                if script_id not in self._added:
                    self._added[script_id] = await self._context.add_init_script(_named(source, script_id))


def _hear(following: asyncio.Future[None]) -> None:
    """Its error is known, also when nobody waits for it any more."""
    if not following.cancelled():
        following.exception()


def _named(source: str, script_id: str) -> str:
    # On a line of its own, behind a comment that may be the script's last words.
    return f"{source}\n//# sourceURL={_URL}{script_id}"


def script_of(url: str) -> str | None:
    """The id of the script that `url` is the name of, None for any other URL."""
    return url.removeprefix(_URL) if url.startswith(_URL) else None
