"""Redis, API and workers, each restarted when it ends; all traces of them lie in one folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx
import redis

from tests.chaos.census import Census
from tests.chaos.part import Part, Spec

_START_SECONDS = 90
_LOOK_SECONDS = 0.1
_STOP_SECONDS = 45
_DISK_BYTES = 192 << 20
_DISK_OPTIONS = ("-t", "tmpfs", "-o", f"size={_DISK_BYTES}")

SETTINGS = {
    "FLEET_EGRESS_ALLOW": "127.0.0.1",
    "FLEET_SESSION_RATE": "1000/minute",
    "FLEET_SESSIONS_PER_WORKER": "4",
    # Faults follow one another faster than the defaults allow for.
    "FLEET_HEALTH_SECONDS": "5",
    "FLEET_SWEEP_SECONDS": "10",
    "FLEET_SHUTDOWN_GRACE": "15",
}


class Fleet:
    """Runs from `__enter__` to `__exit__`."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int,
        concurrency: int,
        settings: Mapping[str, str] | None = None,
        own_disk: bool = True,
    ) -> None:
        """`settings`: more FLEET_ variables. `own_disk`: artifacts lie on one that can be filled, if that can be."""
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self.temporary = folder / "tmp"
        api_port, self.redis_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{api_port}"
        self._environment = {
            **SETTINGS,
            **(settings or {}),
            "FLEET_BIND": f"127.0.0.1:{api_port}",
            "FLEET_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "FLEET_ARTIFACTS_URL": f"file:{self.artifacts}",
        }
        self.redis = Part(self._spec("redis", self._redis_command()))
        self.api = Part(self._spec("api", _gunicorn()))
        self.workers = [
            Part(self._spec(f"worker-{number}", _worker(number, concurrency))) for number in range(1, workers + 1)
        ]
        self.census = Census(lambda: [pid for part in self.parts for pid in part.processes()])
        self.store = redis.Redis(port=self.redis_port, decode_responses=True)
        self._wants_own_disk = own_disk
        self.has_own_disk = False
        self._supervised = True
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    @property
    def parts(self) -> list[Part]:
        return [self.redis, self.api, *self.workers]

    def _spec(self, name: str, command: list[str]) -> Spec:
        for folder in (self.folder / "logs", self.temporary / name, self.folder / "redis", self.artifacts):
            folder.mkdir(parents=True, exist_ok=True)
        environment = {**self._environment, "TMPDIR": str(self.temporary / name)}
        return Spec(name, command, environment, self.folder / "logs" / f"{name}.log")

    def _redis_command(self) -> list[str]:
        server = shutil.which("redis-server") or shutil.which("valkey-server")
        assert server is not None, "neither redis-server nor valkey-server is on the PATH"
        options = {
            "bind": "127.0.0.1",
            "port": str(self.redis_port),
            "dir": str(self.folder / "redis"),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [server, *(part for name, value in options.items() for part in (f"--{name}", value))]

    def __enter__(self) -> Self:
        self.has_own_disk = self._wants_own_disk and _mount(self.artifacts)
        try:
            for part in self.parts:
                part.start()
            self.census.__enter__()
            self._supervisor.start()
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._supervised = False
        with suppress(RuntimeError):
            self._supervisor.join()
        self.census.look()
        with suppress(RuntimeError):
            self.census.__exit__()
        for pid in [*self.census.left(), *(part.pid for part in self.parts if part.is_running)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.store.close()
        if self.has_own_disk:
            subprocess.run(["umount", str(self.artifacts)], check=False)

    def _supervise(self) -> None:
        while self._supervised:
            for part in self.parts:
                part.start_if_ended()
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> dict[str, int | None]:
        """In order, each part by SIGTERM; the exit code of each, None: it did not end in time."""
        self._supervised = False
        self._supervisor.join()
        codes: dict[str, int | None] = {}
        for together in ([self.api], self.workers, [self.redis]):
            for part in together:
                part.signal(signal.SIGTERM)
            codes |= {part.name: part.wait(_STOP_SECONDS) for part in together}
        return codes

    def wait_until_ready(self, seconds: float = _START_SECONDS) -> None:
        """Until all workers have a lease. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while len(self.worker_reports()) < len(self.workers):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all workers are there after {seconds} s; logs are in {self.folder}/logs")
            time.sleep(0.2)

    def worker_reports(self) -> list[dict[str, object]]:
        """As GET /api/workers gives them; none while the API is away."""
        with suppress(httpx.HTTPError):
            answer = httpx.get(f"{self.url}/api/workers", timeout=10)
            if answer.status_code == httpx.codes.OK:
                found: list[dict[str, object]] = answer.json()["workers"]
                return found
        return []

    def temporary_files(self) -> list[str]:
        return sorted(str(path.relative_to(self.temporary)) for path in self.temporary.glob("*/*"))


def node_name(worker: Part) -> str:
    return f"{worker.name}@chaos"


def _gunicorn() -> list[str]:
    return [*_python("gunicorn"), "--config", "python:app.gunicorn_config", "app.wsgi:application"]


def _worker(number: int, concurrency: int) -> list[str]:
    return [
        *_python("celery"),
        *("--quiet", "-A", "workers.celery_app", "worker", "--hostname", f"worker-{number}@chaos"),
        *("--concurrency", str(concurrency), "--max-memory-per-child", "300000", "--loglevel", "INFO"),
    ]


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _mount(folder: Path) -> bool:
    """Whether `folder` is now a small disk of its own, which only root can make."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        return False
    return subprocess.run([mount, *_DISK_OPTIONS, "fleet-chaos", str(folder)], check=False).returncode == 0
