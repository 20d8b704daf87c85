"""CPU time of process trees, so that a ratio holds also when the machine's speed drifts during a run."""

import psutil


def cpu_of_fleet(pids: list[int]) -> float:
    return sum(cpu_seconds(psutil.Process(pid)) for pid in pids)


def cpu_of_script(fleet_pids: list[int]) -> float:
    """This process and all that it started, but for the fleet."""
    return cpu_seconds(psutil.Process()) - cpu_of_fleet(fleet_pids)


def cpu_seconds(root: psutil.Process) -> float:
    """User and system time of the process, its descendants, and those of them that have ended."""
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
