"""The programs under test, found again by a mark in their environment, whoever started them."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
_MARK = "FLEET_SYSTEM_TEST"


class Launched:
    """A command and everything that it starts, however deep and in whatever session."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], *, log: Path, errors: Path | None = None
    ) -> None:
        """`errors`: for standard error, if it is to be apart from the log."""
        self._mark = f"{_MARK}={uuid.uuid4()}"
        name, value = self._mark.split("=")
        self.log = log
        log.write_bytes(b"")
        with log.open("ab") as output, (errors or log).open("ab") as error_output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment, name: value},
                stdout=output,
                stderr=error_output,
                start_new_session=True,
            )

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def living(self) -> dict[int, str]:
        """Process id and command line of each process that carries the mark."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and self._mark in _read(folder / "environ").split("\0"):
                found[int(folder.name)] = _read(folder / "cmdline").replace("\0", " ")[:120]
        return found

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def kill_all(self) -> None:
        """For the end of a test, whatever came of it."""
        for pid in self.living():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def wait_for_exit(launched: Launched, seconds: float) -> int:
    """The exit code. Raises AssertionError with the output if it still runs by then."""
    try:
        return launched.process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"still running after {seconds} s:\n{launched.output()[-3000:]}") from error


def wait_for_line(launched: Launched, text: str, seconds: float) -> str:
    """The first line of output that contains the text."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for line in launched.output().splitlines():
            if text in line:
                return line
        if launched.process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"no line with {text!r}:\n{launched.output()[-3000:]}")


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
