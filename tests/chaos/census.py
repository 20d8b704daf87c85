"""Every process that was ever seen below a part: one that is left behind is found, whoever its parent is by then."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.integration.worker.processes import command

_LOOK_SECONDS = 0.5


class Census:
    """Counts from `__enter__` to `__exit__`."""

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        self._processes = processes
        self._seen: set[tuple[int, str]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def left(self) -> dict[int, str]:
        """Process id and command line of those that still run."""
        return {pid: command(pid)[:120] for pid, started in self._seen if command(pid) and _started(pid) == started}

    def look(self) -> None:
        for pid in self._processes():
            if started := _started(pid):
                self._seen.add((pid, started))

    def _count(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def _started(pid: int) -> str:
    """In clock ticks since boot; empty: it has ended."""
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    return ""
