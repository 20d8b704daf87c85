"""Processes of a worker, written down so that a later life can end what outlived its own."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from workers.process_table import Process, read_process

_log = structlog.get_logger(__name__)

# The record of one browser host: far more than a worker of a hundred sessions has.
_LINES_MAX = 10_000


class ProcessRecord:
    """Names each process by its id, its start and the table of processes that the id belongs to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: set[Process] = set()

    def write(self, processes: Iterable[Process]) -> None:
        """Replaces what was there, in one step, if it differs."""
        now = set(processes)
        if now == self._written:
            return
        lines = [f"{_table()} {process.pid} {process.started}\n" for process in now]
        draft = self._path.with_suffix(".draft")
        draft.write_text("".join(lines[:_LINES_MAX]))
        draft.replace(self._path)
        self._written = now

    def end_all(self) -> int:
        """Kills those that still run, but not the caller, and empties the record. How many it has killed."""
        killed = 0
        for pid in set(self._running()) - {os.getpid()}:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
                _log.warning("process of an earlier life ended", pid=pid)
        self.clear()
        return killed

    @property
    def is_there(self) -> bool:
        return self._path.is_file()

    def clear(self) -> None:
        """An empty record is one, too."""
        with suppress(OSError):
            self._path.write_text("")

    def _running(self) -> list[int]:
        lines: list[str] = []
        with suppress(OSError):
            lines = self._path.read_text().splitlines()[:_LINES_MAX]
        named = [line.split() for line in lines]
        return [int(pid) for table, pid, started in named if table == _table() and _started(int(pid)) == started]


def _table() -> str:
    """Containers have process ids of their own; another container's mean nothing here."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _started(pid: int) -> str | None:
    process = read_process(pid)
    return str(process.started) if process else None
