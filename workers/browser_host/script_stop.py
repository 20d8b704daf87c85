"""The end of all scripts of a page that harms others, so that it can still be captured as it stands."""

from workers.browser_host.renderer import Renderer


class ScriptStop:
    """For one capture. A page that was stopped stays so and is of no more use afterwards: close it."""

    def __init__(self, renderer: Renderer, warnings: list[str]) -> None:
        """`renderer`: of the page, and asked before, as one that hangs takes no new sessions."""
        self._renderer = renderer
        self._warnings = warnings
        self.has_stopped = False

    async def stop(self, why: str) -> None:
        """`why` becomes a warning of the capture."""
        if not self.has_stopped:
            self.has_stopped = True
            self._warnings.append(f"{why} All scripts of the page were stopped; it is captured as it stood then.")
            await self._renderer.stop_scripts()

    async def interrupt(self) -> None:
        """Ends the script that runs at this moment, without a word."""
        await self._renderer.interrupt()
