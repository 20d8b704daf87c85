"""Processes of this machine as /proc shows them: who descends from whom, and what each runs."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def command(pid: int) -> str:
    """Its command line; empty once it has ended."""
    with suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def children(pid: int) -> list[int]:
    return _parents().get(pid, [])


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    parents = _parents()
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def parent(pid: int) -> int:
    (found,) = [above for above, below in _parents().items() if pid in below]
    return found


def chrome_under(pid: int) -> list[int]:
    """The main process of each Chrome that descends from `pid`."""
    return [chrome for chrome in descendants(pid) if _is_chrome(command(chrome))]


def alive(pids: Iterable[int]) -> list[int]:
    """Those that still run; what has ended and waits for its parent to notice does not."""
    return [pid for pid in pids if command(pid)]


def kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _is_chrome(line: str) -> bool:
    # Renderers and other helpers name their type.
    return "chromium" in line.split(" ", 1)[0] and "--type=" not in line


def _parents() -> dict[int, list[int]]:
    """Parent → its children."""
    parents: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                # The name in brackets may hold spaces; state and parent come after it.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    return parents
