"""A program in a terminal of its own, as a person sits before it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_ROWS, _COLUMNS = 30, 100


class Terminal:
    def __init__(self, command: list[str], environment: Mapping[str, str], *, cwd: Path) -> None:
        """Its output is in `screen`, control sequences and all."""
        self.screen = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # one call, which takes no lock
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def press_ctrl_c(self) -> None:
        os.write(self._master, b"\x03")

    def wait_for(self, text: str, seconds: float) -> None:
        """Until it has been shown. Raises AssertionError with the screen."""
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            assert self._read_more(deadline), f"{text!r} was not shown:\n{self.screen[-3000:]}"

    def exit_code(self, seconds: float) -> int:
        """Once it has ended. Raises AssertionError with the screen."""
        deadline = time.monotonic() + seconds
        while self._read_more(deadline):
            pass
        try:
            return self._process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"still running:\n{self.screen[-3000:]}") from error

    def _read_more(self, deadline: float) -> bool:
        """False: there will be no more, or not in time."""
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen += piece.decode(errors="replace")
        return bool(piece)
