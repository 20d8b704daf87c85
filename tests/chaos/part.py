"""One program of the fleet, which is started again when it ends, as compose would."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.integration.worker.processes import chrome_under, command, descendants

# As compose: one that ends at once must not spin.
_RESTART_SECONDS = 0.5


@dataclass(frozen=True)
class Spec:
    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path


class Part:
    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None
        self._ended_at: float | None = None
        self._down_until = 0.0
        self.starts = 0

    def start(self) -> None:
        with self._spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._spec.command,
                env={**os.environ, **self._spec.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._ended_at = None
        self.starts += 1

    def start_if_ended(self) -> None:
        """To be called often."""
        now = time.monotonic()
        if self.is_running:
            return
        self._ended_at = self._ended_at or now
        if now >= max(self._ended_at + _RESTART_SECONDS, self._down_until):
            self.start()

    def stay_down(self, seconds: float) -> None:
        """From now on, once it has ended."""
        self._down_until = time.monotonic() + seconds

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.is_running:
            self._process.send_signal(number)  # type: ignore[union-attr]  # it runs

    def wait(self, seconds: float) -> int | None:
        """The exit code; None: it has not ended by then."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def processes(self) -> list[int]:
        """Its own and all below it."""
        return [self.pid, *descendants(self.pid)] if self.is_running else []

    def hosts(self) -> list[int]:
        return [pid for pid in self.processes() if "workers.browser_host" in command(pid)]

    def pool_children(self) -> list[int]:
        below = self.processes()[1:]
        return [pid for pid in below if "celery" in command(pid) and "workers.browser_host" not in command(pid)]

    def drivers(self) -> list[int]:
        return [pid for pid in self.processes() if "run-driver" in command(pid)]

    def chromes(self) -> list[int]:
        return chrome_under(self.pid) if self.is_running else []

    def renderers(self) -> list[int]:
        return [pid for pid in self.processes() if "--type=renderer" in command(pid)]
