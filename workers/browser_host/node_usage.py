"""What a worker uses of its machine: memory, processes, threads, file descriptors, temporary files."""

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workers.browser_host.cgroup import find_memory_cgroup
from workers.process_table import PROC, Process, read_process, tree

_CGROUPS = Path("/sys/fs/cgroup")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_BLOCK_BYTES = 512
# A walk through more takes longer than a report is worth.
_TEMP_ENTRIES_MAX = 10_000


@dataclass(frozen=True)
class NodeUsage:
    """`measured_at`: when the measurement began, of the monotonic clock. The rest as in WorkerReport."""

    measured_at: float
    memory_bytes: int
    memory_limit_bytes: int
    memory_by_part: dict[str, int]
    processes: int
    file_descriptors: int
    threads: int
    temp_bytes: int

    @property
    def share(self) -> float:
        """Of the memory that the worker may use; above 1 if it uses more."""
        return self.memory_bytes / self.memory_limit_bytes

    def report_fields(self) -> dict[str, Any]:
        fields = asdict(self)
        del fields["measured_at"]
        return fields


@dataclass(frozen=True)
class NodeIds:
    """`parent`: Celery's; `host`: the browser host, which it has started, or which stands alone as its own parent."""

    parent: int
    host: int


class NodeMeter:
    """A measurement takes 60 to 110 ms of a core with ten sessions open: most of it is the kernel's, for PSS."""

    def __init__(
        self, ids: NodeIds, temporary_folder: Path, *, limit_bytes: int, proc: Path = PROC, cgroups: Path = _CGROUPS
    ) -> None:
        """`limit_bytes`: for the whole worker; what the kernel allows its cgroup counts if that is less."""
        self._ids = ids
        self._folder = temporary_folder
        self._limit = limit_bytes
        self._proc = proc
        self._cgroup = find_memory_cgroup(proc / str(ids.host) / "cgroup", cgroups)

    def measure(self) -> NodeUsage:
        """Blocks; belongs in a thread."""
        began = time.monotonic()
        processes = tree(self._ids.parent, self._proc)
        by_part = self._memory_by_part(processes)
        limit = self._cgroup_limit()
        return NodeUsage(
            measured_at=began,
            memory_bytes=self._cgroup_used(processes, limit) or sum(by_part.values()),
            memory_limit_bytes=min(self._limit, limit or self._limit),
            memory_by_part=by_part,
            processes=len(processes),
            file_descriptors=sum(_descriptors(self._proc / str(process.pid)) for process in processes),
            threads=sum(process.threads for process in processes),
            temp_bytes=_bytes_below(self._folder),
        )

    def _memory_by_part(self, processes: list[Process]) -> dict[str, int]:
        parts: dict[int, str] = {}
        memory: Counter[str] = Counter()
        for process in processes:
            part = parts[process.pid] = self._part(process, parts)
            memory[part] += _memory(self._proc / str(process.pid))
        return dict(memory)

    def _part(self, process: Process, parts: dict[int, str]) -> str:
        """The host starts the driver, the driver starts Chrome; all else is Celery's."""
        if process.pid == self._ids.host:
            return "host"
        above = {"host": "driver", "driver": "chrome"}
        return above.get(parts.get(process.parent, ""), parts.get(process.parent, "celery"))

    def _cgroup_limit(self) -> int | None:
        with suppress(OSError):
            return self._cgroup.limit_bytes() if self._cgroup else None
        return None

    def _cgroup_used(self, processes: list[Process], limit: int | None) -> int | None:
        """None unless the cgroup has a limit and is the worker's own: then it tells what the kernel counts."""
        if self._cgroup is None or limit is None:
            return None
        with suppress(OSError):
            ours = {process.pid for process in processes} | self._ancestors()
            return self._cgroup.used_bytes() if self._cgroup.process_ids() <= ours else None
        return None

    def _ancestors(self) -> set[int]:
        """A container's init, and a shell around the worker."""
        found: set[int] = set()
        process = read_process(self._ids.parent, self._proc)
        while process is not None and process.parent not in found:
            found.add(process.parent)
            process = read_process(process.parent, self._proc)
        return found


def _memory(process: Path) -> int:
    """Its proportional set size; what is its own alone where the kernel does not tell that of a sandboxed process."""
    with suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError):
        _, resident, shared, *_ = (process / "statm").read_text().split()
        return (int(resident) - int(shared)) * _PAGE_BYTES
    return 0


def _descriptors(process: Path) -> int:
    with suppress(OSError):
        return sum(1 for _ in (process / "fd").iterdir())
    return 0


def _bytes_below(folder: Path) -> int:
    """Of the first entries that are found; files that vanish meanwhile count nothing."""
    waiting, total, seen = [folder], 0, 0
    while waiting and seen < _TEMP_ENTRIES_MAX:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen += 1
                total += _bytes_of(entry)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
    return total


def _bytes_of(entry: os.DirEntry[str]) -> int:
    with suppress(OSError):
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
    return 0
