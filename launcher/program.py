"""One program of the fleet as a child process."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet.parent_death import die_with


class Program:
    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, log: Path | None = None
    ) -> None:
        """`log`: where its output goes; None: to the terminal."""
        self.name = name
        launcher = os.getpid()
        output = log.open("wb") if log else None
        # A session of its own: Ctrl-C reaches the launcher only, which then ends the programs in order.
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: die_with(launcher),  # noqa: PLW1509  # the launcher has no threads
        )
        if output:
            output.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended by then."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Its whole process group, which only holds what it started itself."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
