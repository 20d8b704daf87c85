"""A real worker: `celery worker` in a process of its own, with its pool, its host and its Chrome."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from celery import Celery
from pydantic import SecretStr

from fleet.settings import Settings
from fleet.store import Store
from tests.integration.worker.processes import alive, children, command, descendants, kill
from tests.polling import eventually

_START_SECONDS = 60
_STOP_SECONDS = 30


class Worker:
    """Runs from `__enter__` to `__exit__`; its lease is held in between."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        folder: Path,
        *,
        concurrency: int = 4,
        label: str = "test",
        temporary: Path | None = None,
    ) -> None:
        """`folder`: for its log and for what it keeps on disk. `label`: before the @ of its name.

        `temporary`: its TMPDIR, if it is to follow on another worker.
        """
        self._settings = settings
        self._store = store
        self._concurrency = concurrency
        self._label = label
        self._log = folder / f"{label}.log"
        self.temporary = temporary or folder / f"tmp-{label}"
        self.temporary.mkdir(exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._own: list[int] = []
        # As Celery gave it; also when its lease is over.
        self.name = ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _names(self) -> list[str]:
        names = [report.name for report in self._store.workers.alive()]
        return [name for name in names if name.startswith(f"{self._label}@")]

    @property
    def is_running(self) -> bool:
        assert self._process is not None
        return self._process.poll() is None

    def host(self) -> int:
        (pid,) = self.hosts()
        return pid

    def hosts(self) -> list[int]:
        """None, while it is being replaced."""
        return [child for child in children(self.pid) if "workers.browser_host" in command(child)]

    def processes(self) -> list[int]:
        """All of them: parent, pool, host, Playwright's driver, Chrome with its helpers."""
        self._own = [self.pid, *descendants(self.pid)]
        return self._own

    def child_of(self, message_argument: str) -> int | None:
        """The pool child that runs the message about this job or session now; None: none does."""
        with Celery(broker=self._settings.redis_url) as celery:
            answers = celery.control.inspect(destination=[self.name], limit=1, timeout=1).active() or {}
        running = [task for tasks in answers.values() for task in tasks if task["args"] == [message_argument]]
        return running[0]["worker_pid"] if running else None

    @property
    def log_text(self) -> str:
        return self._log.read_text()

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """The parent alone, as the kernel would when memory is short."""
        self.processes()
        os.kill(self.pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """All of it at once, as when its machine loses power."""
        kill(self.processes())

    def stop(self) -> None:
        """All of it stands still, as when its machine is suspended."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.processes():
            os.kill(pid, number)

    def wait(self) -> int:
        """Its exit code once it has ended."""
        assert self._process is not None
        return self._process.wait(_STOP_SECONDS)

    def __enter__(self) -> Self:
        self.begin()
        try:
            eventually(self._is_ready, seconds=_START_SECONDS)
        except AssertionError as error:
            self.__exit__()
            message = f"The worker did not start ({error}):\n{self._log.read_text()}"
            raise AssertionError(message) from None
        return self

    def begin(self) -> None:
        """Starts it, and does not wait until it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "workers.celery_app", "worker"),
                    *("--hostname", f"{self._label}@%h", "--concurrency", str(self._concurrency), "--loglevel", "INFO"),
                ],
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self.processes()
            self.terminate()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            kill([self.pid])
            self._process.wait()
        finally:
            # What should have gone with it, if a test has failed.
            kill(alive(self._own))

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "it ended"
        if names := self._names():
            (self.name,) = names
        return bool(names)

    def _environment(self) -> dict[str, str]:
        given = self._settings.model_dump(include=self._settings.model_fields_set, exclude_none=True)
        named = {f"FLEET_{name.upper()}": _text(value) for name, value in given.items()}
        return {"FLEET_EGRESS_ALLOW": "127.0.0.1", **named, "TMPDIR": str(self.temporary)}


def _text(value: object) -> str:
    """As the environment has it."""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
