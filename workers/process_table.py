"""The processes of this machine, as /proc shows them."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """`started`: in clock ticks since boot. With the id it names a process for good; the id alone is used again."""

    pid: int
    parent: int
    threads: int
    started: int


def read_process(pid: int, proc: Path = PROC) -> Process | None:
    """None: there is none, or it has ended and waits to be reaped."""
    with suppress(OSError):
        # The name in brackets may hold anything, brackets and spaces too.
        fields = (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        if fields[0] not in "ZX":
            return Process(pid, parent=int(fields[1]), threads=int(fields[17]), started=int(fields[19]))
    return None


def tree(root: int, proc: Path = PROC) -> list[Process]:
    """`root` and all its descendants, each parent before its children."""
    below: dict[int, list[Process]] = {}
    for process in _all(proc):
        below.setdefault(process.parent, []).append(process)
    found = [first] if (first := read_process(root, proc)) else []
    for process in found:
        found.extend(below.get(process.pid, []))
    return found


def _all(proc: Path) -> list[Process]:
    pids = [int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()]
    return [process for pid in pids if (process := read_process(pid, proc))]
