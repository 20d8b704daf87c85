"""The cgroup of a process as the kernel accounts its memory, in either version of cgroups."""

from dataclasses import dataclass
from pathlib import Path

# Without a limit, version 1 tells the largest number of pages, in bytes.
_NO_LIMIT_BYTES = 2**60


@dataclass(frozen=True)
class MemoryCgroup:
    """Reads raise OSError once the cgroup is gone."""

    folder: Path
    usage: str
    limit: str
    inactive_file: str

    def limit_bytes(self) -> int | None:
        """None: it has none of its own."""
        text = (self.folder / self.limit).read_text().strip()
        return None if text == "max" or int(text) > _NO_LIMIT_BYTES else int(text)

    def used_bytes(self) -> int:
        """Without the file pages that the kernel drops first when memory runs short."""
        fields = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        return max(0, int((self.folder / self.usage).read_text()) - int(fields.get(self.inactive_file, 0)))

    def process_ids(self) -> set[int]:
        return {int(line) for line in (self.folder / "cgroup.procs").read_text().split()}


def find_memory_cgroup(membership: Path, mounts: Path) -> MemoryCgroup | None:
    """`membership`: /proc/PID/cgroup; `mounts`: /sys/fs/cgroup. None: the process is in none that accounts memory."""
    paths = _paths(membership)
    if "memory" in paths:
        names = ("memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
        return _first_with_usage(mounts / "memory", paths["memory"], *names)
    if "" in paths:
        return _first_with_usage(mounts, paths[""], "memory.current", "memory.max", "inactive_file")
    return None


def _paths(membership: Path) -> dict[str, str]:
    """Controller → path; version 2 has one line, for all controllers, under the empty name."""
    found: dict[str, str] = {}
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _first_with_usage(mount: Path, path: str, usage: str, limit: str, inactive_file: str) -> MemoryCgroup | None:
    """A container without a cgroup namespace is told a path of its host's, but sees its own at the mount itself."""
    inside = path.strip("/")
    folders = [mount] if ".." in inside.split("/") else [mount / inside, mount]
    for folder in folders:
        if (folder / usage).is_file() and (folder / limit).is_file():
            return MemoryCgroup(folder, usage, limit, inactive_file)
    return None
