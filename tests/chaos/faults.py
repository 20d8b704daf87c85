"""What goes wrong: each fault has a name, hits what it finds, and is over within a bounded time."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import httpx

from tests.chaos.fleet import Fleet, node_name
from tests.chaos.part import Part

Found = TypeVar("Found")

_FREEZE_SECONDS = (2.0, 12.0)
# Beyond a worker's lease of 15 s, so that others take over what it holds.
_LONG_FREEZE_SECONDS = (18.0, 25.0)
_AWAY_SECONDS = (5.0, 30.0)
_DISK_SECONDS = (4.0, 10.0)
_DRAIN_SECONDS = 20.0
_STOP_SECONDS = 40.0
_BLOCK = b"\0" * (1 << 20)


class NothingToHit(Exception):
    """What the fault is for is not there now: it is being replaced."""


@dataclass(frozen=True)
class Scene:
    fleet: Fleet
    dice: random.Random

    def worker(self) -> Part:
        running = [worker for worker in self.fleet.workers if worker.is_running]
        return self._one_of(running)

    def _one_of(self, found: list[Found]) -> Found:
        if not found:
            raise NothingToHit
        return self.dice.choice(found)

    def kill_one(self, pids: list[int]) -> str:
        pid = self._one_of(sorted(pids))
        _send([pid], signal.SIGKILL)
        return f"pid {pid}"

    def freeze(self, pids: list[int], seconds: tuple[float, float]) -> str:
        """SIGSTOP to all of them, and SIGCONT to those that are still there."""
        if not pids:
            raise NothingToHit
        duration = self.dice.uniform(*seconds)
        _send(pids, signal.SIGSTOP)
        try:
            time.sleep(duration)
        finally:
            _send(pids, signal.SIGCONT)
        return f"{duration:.0f} s"


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _kill_pool_child(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.kill_one(worker.pool_children())}"


def _kill_host(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.kill_one(worker.hosts())}"


def _kill_chrome(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.kill_one(worker.chromes())}"


def _kill_driver(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.kill_one(worker.drivers())}"


def _kill_renderer(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.kill_one(worker.renderers())}"


def _kill_parent(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.kill_one([worker.pid])}"


def _kill_worker(scene: Scene) -> str:
    worker = scene.worker()
    pids = worker.processes()
    _send(pids, signal.SIGKILL)
    return f"{worker.name}, {len(pids)} processes"


def _keep_worker_away(scene: Scene) -> str:
    """Killed, and gone for longer than its lease."""
    worker = scene.worker()
    seconds = scene.dice.uniform(*_LONG_FREEZE_SECONDS)
    worker.stay_down(seconds)
    _send(worker.processes(), signal.SIGKILL)
    return f"{worker.name} {seconds:.0f} s"


def _freeze_host(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.freeze(worker.hosts(), _FREEZE_SECONDS)}"


def _freeze_chrome(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.freeze(worker.chromes(), _LONG_FREEZE_SECONDS)}"


def _freeze_worker(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {scene.freeze(worker.processes(), _LONG_FREEZE_SECONDS)}"


def _freeze_redis(scene: Scene) -> str:
    return scene.freeze(scene.fleet.redis.processes(), _FREEZE_SECONDS)


def _stop_worker(scene: Scene) -> str:
    worker = scene.worker()
    return f"{worker.name} {_stop(worker)}"


def _stop(worker: Part) -> str:
    pid = worker.pid
    worker.signal(signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while worker.is_running and worker.pid == pid:
        if time.monotonic() > deadline:
            _send(worker.processes(), signal.SIGKILL)
            return f"did not stop within {_STOP_SECONDS:.0f} s and was killed"
        time.sleep(0.05)
    return "stopped"


def _drain_worker(scene: Scene) -> str:
    worker = scene.worker()
    name = node_name(worker)
    with suppress(httpx.HTTPError):
        answer = httpx.post(f"{scene.fleet.url}/api/workers/{name}/drain", timeout=10)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while answer.is_success and _sessions_of(scene.fleet, name) and time.monotonic() < deadline:
            time.sleep(0.3)
        return f"{worker.name}, {_sessions_of(scene.fleet, name)} sessions left, {_stop(worker)}"
    raise NothingToHit


def _sessions_of(fleet: Fleet, name: str) -> object:
    return sum(int(str(report["sessions"])) for report in fleet.worker_reports() if report["name"] == name)


def _kill_api(scene: Scene) -> str:
    pids = scene.fleet.api.processes()
    _send(pids, signal.SIGKILL)
    return f"{len(pids)} processes"


def _kill_redis(scene: Scene) -> str:
    return scene.kill_one(scene.fleet.redis.processes())


def _keep_redis_away(scene: Scene) -> str:
    seconds = scene.dice.uniform(*_AWAY_SECONDS)
    scene.fleet.redis.stay_down(seconds)
    _send(scene.fleet.redis.processes(), signal.SIGTERM)
    time.sleep(seconds)
    return f"{seconds:.0f} s"


def _fill_disk(scene: Scene) -> str:
    if not scene.fleet.has_own_disk:
        raise NothingToHit
    seconds = scene.dice.uniform(*_DISK_SECONDS)
    ballast = scene.fleet.artifacts / "ballast"
    try:
        with ballast.open("wb") as file, suppress(OSError):
            while True:
                file.write(_BLOCK)
                file.flush()
        time.sleep(seconds)
    finally:
        ballast.unlink()
    return f"{seconds:.0f} s"


@dataclass(frozen=True)
class Fault:
    name: str
    do: Callable[[Scene], str]
    weight: int


FAULTS = (
    Fault("pool child killed", _kill_pool_child, 3),
    Fault("browser host killed", _kill_host, 2),
    Fault("Chrome killed", _kill_chrome, 3),
    Fault("Playwright's driver killed", _kill_driver, 2),
    Fault("renderer killed", _kill_renderer, 3),
    Fault("Celery parent killed", _kill_parent, 2),
    Fault("worker killed", _kill_worker, 2),
    Fault("worker killed and kept away", _keep_worker_away, 1),
    Fault("browser host frozen", _freeze_host, 1),
    Fault("Chrome frozen", _freeze_chrome, 1),
    Fault("worker frozen", _freeze_worker, 1),
    Fault("Redis frozen", _freeze_redis, 1),
    Fault("worker stopped", _stop_worker, 2),
    Fault("worker drained", _drain_worker, 1),
    Fault("API killed", _kill_api, 2),
    Fault("Redis killed", _kill_redis, 1),
    Fault("Redis kept away", _keep_redis_away, 1),
    Fault("disk full", _fill_disk, 1),
)


def sequence(dice: random.Random, kinds: tuple[Fault, ...] = FAULTS) -> Iterator[Fault]:
    """Each kind once, in an order of the dice's, then by weight, without end."""
    yield from dice.sample(kinds, len(kinds))
    while True:
        yield dice.choices(kinds, [fault.weight for fault in kinds])[0]
