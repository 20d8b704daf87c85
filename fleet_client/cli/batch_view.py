"""How a batch's progress is shown: a bar in a terminal, a line now and then elsewhere. On standard error."""

import sys
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from fleet_client import Batch, BatchItem
from fleet_client.cli.printing import in_time

_LINE_EVERY_SECONDS = 10


class BatchView:
    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._last_line = time.monotonic()
        self._progress = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}", markup=False),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            # What is written to a file or a pipe is not for the screen.
            redirect_stdout=sys.stdout.isatty(),
            disable=not self._console.is_terminal,
        )
        self._bar = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Above the bar."""
        self._console.print(text)

    def show(self, batch: Batch, done: int) -> None:
        pace = _pace(batch)
        self._progress.update(self._bar, completed=done, total=batch.counts.total, description=pace, visible=True)
        if not self._console.is_terminal and time.monotonic() - self._last_line >= _LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            self.say(f"{done:,} of {batch.counts.total:,}, {pace}")

    def tell(self, item: BatchItem, line: dict[str, Any]) -> None:
        """What went wrong with an item; what went well shows in the bar."""
        if item.error is not None:
            self.say(f"{item.url}: {item.error.code}: {item.error.message}{_of_job(item)}")
        elif item.state == "cancelled":
            self.say(f"{item.url}: not captured, the batch was stopped before")
        elif line["problem"] is not None:
            self.say(f"{item.url}: {line['problem']}")


def _pace(batch: Batch) -> str:
    said = [] if batch.state == "running" else [batch.state]
    if batch.state == "running" and batch.rate:
        rest = batch.counts.queued + batch.counts.running
        said += [f"{batch.rate:.1f}/s", f"{in_time(rest / batch.rate)} left"]
    if batch.counts.failed:
        said.append(f"{batch.counts.failed:,} failed")
    return " · ".join(said)


def _of_job(item: BatchItem) -> str:
    return f" ({item.job_id})" if item.job_id else ""
