"""What each kind of process of the fleet takes, at one moment."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.fleet import Fleet
from tests.chaos.part import Part

MEASURES = ("memory MB", "processes", "descriptors")
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Sample:
    """`done`: captures so far. `values`: of each series, by its name. `at_rest`: nothing was captured meanwhile."""

    done: int
    values: dict[str, float]
    at_rest: bool = False


def take(fleet: Fleet, done: int) -> Sample:
    values: dict[str, float] = {}
    kinds = [("api", fleet.api.processes()), ("redis", fleet.redis.processes())]
    for worker in fleet.workers:
        kinds += _kinds_of(worker)
    for kind, pids in kinds:
        for measure, value in zip(MEASURES, _measure(pids), strict=True):
            name = f"{measure}: {kind}"
            values[name] = values.get(name, 0.0) + value
    for measure in MEASURES:
        values[f"{measure}: all"] = sum(value for name, value in values.items() if name.startswith(measure))
    values["temp MB: all"] = _bytes_below(fleet.temporary) / _MEGABYTE
    return Sample(done, values)


def _kinds_of(worker: Part) -> Iterator[tuple[str, list[int]]]:
    named: dict[str, Callable[[], list[int]]] = {
        "pool": worker.pool_children,
        "host": worker.hosts,
        "driver": worker.drivers,
    }
    left = set(worker.processes()) - {worker.pid}
    yield "celery", [worker.pid]
    for kind, find in named.items():
        pids = find()
        left.difference_update(pids)
        yield kind, pids
    yield "chrome", sorted(left)


def _measure(pids: Iterable[int]) -> tuple[float, int, int]:
    memory, processes, descriptors = 0.0, 0, 0
    for pid in pids:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            # Proportional: what processes share counts once in their sum.
            memory += process.memory_full_info().pss / _MEGABYTE
            descriptors += process.num_fds()
            processes += 1
    return memory, processes, descriptors


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total
