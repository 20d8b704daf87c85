"""The programs of a fleet on this machine: what each is started with, in which order they come and go."""

import fcntl
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fleet.settings import settings
from launcher.program import Program
from launcher.secret_key import kept_secret_key

_READY_SECONDS = 60
# Beyond the programs' own shutdown grace, so that force is the exception.
_STOP_MARGIN_SECONDS = 5
# A worker that is told to drop its jobs gives their messages back and ends its browser host.
_DROP_SECONDS = 10


class FleetDidNotStart(Exception):
    """A program ended, or the API was not ready in time; the message says which."""


@dataclass(frozen=True)
class FleetOptions:
    data: Path
    bind: str
    workers: int
    concurrency: int
    flower: bool
    logs: Path | None
    environment: dict[str, str]
    ready_path: str = "/readyz"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Fleet:
    """Runs from `__enter__` to `__exit__`; the API is ready in between."""

    def __init__(self, options: FleetOptions) -> None:
        self._options = options
        self._programs: list[Program] = []
        self._environment = {
            "FLEET_BIND": options.bind,
            "FLEET_ARTIFACTS_URL": f"file:{options.data / 'artifacts'}",
            **options.environment,
        }

    @property
    def url(self) -> str:
        return f"http://{self._options.bind}"

    @property
    def redis_url(self) -> str:
        return self._environment["FLEET_REDIS_URL"]

    @property
    def pids(self) -> list[int]:
        """Process ids of the programs themselves; what they started are their descendants."""
        return [program.pid for program in self._programs]

    def __enter__(self) -> Self:
        try:
            self._start()
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def wait(self) -> str:
        """Blocks until a program ends by itself; its name."""
        while True:
            for program in self._programs:
                if program.exit_code is not None:
                    return program.name
            time.sleep(0.2)

    def _start(self) -> None:
        self._options.data.mkdir(parents=True, exist_ok=True)
        self._claim()
        self._environment.setdefault("FLEET_SECRET_KEY", kept_secret_key(self._options.data))
        if self._options.logs:
            self._options.logs.mkdir(parents=True, exist_ok=True)
        if "FLEET_REDIS_URL" not in self._environment:
            self._start_redis()
        for number in range(1, self._options.workers + 1):
            self._start_worker(number)
        self._start_program(
            "api", [_venv("gunicorn"), "--config", "python:app.gunicorn_config", "app.wsgi:application"]
        )
        if self._options.flower:
            self._start_flower()

    def _claim(self) -> None:
        """Two fleets in one data folder, or on one port, would pass for each other."""
        self._lock = (self._options.data / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FleetDidNotStart(
                f"Another fleet runs in {self._options.data}; set DATA to another folder."
            ) from error
        host, port = self._options.bind.rsplit(":", 1)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
            except OSError as error:
                raise FleetDidNotStart(f"{self._options.bind} cannot be bound ({error.strerror}).") from error

    def _start_redis(self) -> None:
        server = shutil.which("redis-server") or shutil.which("valkey-server")
        if server is None:
            raise FleetDidNotStart("Neither redis-server nor valkey-server is on the PATH; set FLEET_REDIS_URL.")
        folder = self._options.data / "redis"
        folder.mkdir(exist_ok=True)
        port = free_port()
        self._environment["FLEET_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(folder),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": str(folder / "redis.log"),
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._start_program("redis", [server, *arguments])

    def _start_worker(self, number: int) -> None:
        self._start_program(
            f"worker-{number}",
            [
                *(_venv("celery"), "--quiet", "-A", "workers.celery_app", "worker"),
                *("--hostname", f"worker-{number}@%h"),
                *("--concurrency", str(self._options.concurrency)),
                # KiB; a child takes 60 to 70 MB, and more only if something in it leaks.
                *("--max-memory-per-child", "300000"),
                # Against what leaks too slowly for that.
                *("--max-tasks-per-child", "10000"),
                *("--loglevel", "WARNING"),
            ],
        )

    def _start_flower(self) -> None:
        self._start_program("flower", [sys.executable, "-m", "workers.flower"])

    def _start_program(self, name: str, command: list[str]) -> None:
        log = self._options.logs / f"{name}.log" if self._options.logs else None
        self._programs.append(Program(name, command, self._environment, log=log))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            ended = [program for program in self._programs if program.exit_code is not None]
            if ended:
                raise FleetDidNotStart(f"{ended[0].name} ended with exit code {ended[0].exit_code}.")
            if time.monotonic() > deadline:
                raise FleetDidNotStart(f"The API was not ready within {_READY_SECONDS} s.")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{self._options.ready_path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _stop(self) -> None:
        """No new work first, then the workers with what they hold, then the Redis that remembers it."""
        grace = settings().shutdown_grace + _STOP_MARGIN_SECONDS
        try:
            for stage in ("api", "worker", "flower", "redis"):
                programs = [program for program in self._programs if program.name.startswith(stage)]
                if not _stop_together(programs, signal.SIGTERM, grace):
                    _stop_together(programs, signal.SIGQUIT, _DROP_SECONDS)
        finally:
            # Too late, or a second Ctrl-C: now.
            for program in self._programs:
                program.kill()
            self._programs.clear()


def _stop_together(programs: list[Program], number: signal.Signals, seconds: float) -> bool:
    """Whether all of them have ended by then."""
    for program in programs:
        program.ask_to_stop(number)
    deadline = time.monotonic() + seconds
    ended = [program.wait(max(0.0, deadline - time.monotonic())) for program in programs]
    return all(ended)


def _venv(script: str) -> str:
    """The script that was installed beside the Python that runs this."""
    return str(Path(sys.executable).with_name(script))


def data_folder() -> Path:
    """Redis' files and the artifacts; DATA moves it."""
    return Path(os.environ.get("DATA", "data")).absolute()


def caller_settings() -> dict[str, str]:
    """The caller's own FLEET_ variables, which win over the launcher's."""
    return {name: value for name, value in os.environ.items() if name.startswith("FLEET_")}
