"""The browser host as a child process of the Celery parent.

No thread is started here: the parent forks its pool after the host has been started.
"""

import multiprocessing.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import structlog

from fleet.clock import utc_now
from workers.link.client import stopping_mark
from workers.node_folder import NodeFolder

_log = structlog.get_logger(__name__)

# Pool children find the host of their node by this variable, which they inherit.
_SOCKET_VARIABLE = "FLEET_HOST_SOCKET"
# The kernel's, less its closing zero.
_SOCKET_PATH_MAX = 107
# A host that ends sooner than this after its start has not recovered from what ended the one before.
_QUICK_SECONDS = 20.0
_QUICK_ENDS_MAX = 5
_BACKOFF_BASE_SECONDS = 0.5
_BACKOFF_CAP_SECONDS = 10.0
_AFTER_ALL_OTHERS = -1_000


class HostKeepsEnding(Exception):
    """The browser host ended soon after each of several starts: this worker is of no use."""


def host_socket() -> Path:
    return Path(os.environ[_SOCKET_VARIABLE])


class HostProcess:
    def __init__(self, worker_name: str, *, shutdown_grace: float) -> None:
        """`shutdown_grace`: seconds that the host has to end by itself."""
        self._worker_name = worker_name
        self._worker_started_at = utc_now()
        self._shutdown_grace = shutdown_grace
        # Socket, Chrome's profile and all other temporary files of this node; removed with it.
        self._folder = NodeFolder()
        # At the very end: multiprocessing has a folder of its own in it, which it removes with priority -100.
        multiprocessing.util.Finalize(None, self._folder.remove, exitpriority=_AFTER_ALL_OTHERS)
        # What the parent and the pool write, too.
        tempfile.tempdir = str(self._folder.path)
        self._socket = self._folder.path / "host.sock"
        if len(os.fsencode(self._socket)) > _SOCKET_PATH_MAX:
            self._folder.remove()
            raise SystemExit(f"The path {self._socket} is too long for a unix socket. Set TMPDIR to a shorter one.")
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._quick_ends = 0
        self._restarts = 0
        self._start_at: float | None = None

    def start(self) -> None:
        self._folder.end_left_processes()
        os.environ[_SOCKET_VARIABLE] = str(self._socket)
        stopping_mark(self._socket).unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "workers.browser_host"),
            *("--worker", self._worker_name, "--socket", str(self._socket), "--parent", str(os.getpid())),
            *("--restarts", str(self._restarts)),
            *("--since", self._worker_started_at.isoformat()),
        ]
        # A session of its own: Ctrl-C in a terminal reaches the parent only, which stops the host last.
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, start_new_session=True, env=self._environment()
        )
        self._started_at, self._start_at = time.monotonic(), None
        _log.info("browser host started", pid=self._process.pid)

    def _environment(self) -> dict[str, str]:
        # Playwright's driver keeps some 20 MB less; what the operator has set for Node comes after it and wins.
        node_options = f"--max-semi-space-size=1 {os.environ.get('NODE_OPTIONS', '')}".strip()
        return {**os.environ, "TMPDIR": str(self._folder.path), "NODE_OPTIONS": node_options}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def replace_if_ended(self) -> None:
        """To be called often: notes the end of the host, and starts another after a growing pause.

        Raises HostKeepsEnding.
        """
        if self._start_at is not None:
            if time.monotonic() >= self._start_at:
                self.start()
        elif self._process is not None and self._process.poll() is not None:
            self._plan_next_start(self._process.returncode)

    def _plan_next_start(self, exit_code: int) -> None:
        now = time.monotonic()
        self._quick_ends = self._quick_ends + 1 if now - self._started_at < _QUICK_SECONDS else 1
        if self._quick_ends >= _QUICK_ENDS_MAX:
            message = f"the browser host ended {self._quick_ends} times soon after its start, last with {exit_code}"
            raise HostKeepsEnding(message)
        pause = min(_BACKOFF_CAP_SECONDS, _BACKOFF_BASE_SECONDS * 2 ** (self._quick_ends - 1))
        _log.error("browser host lost", exit_code=exit_code, next_start_in_seconds=pause)
        self._start_at = now + pause
        self._restarts += 1

    def tell_to_stop(self) -> None:
        """Its calls in hand are answered at once; `stop` waits for its end."""
        if self._process is not None:
            stopping_mark(self._socket).touch()
            self._process.terminate()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ends the host, by force after the grace, and what it has left behind. May be called twice."""
        self.tell_to_stop()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(self._shutdown_grace)
        except subprocess.TimeoutExpired:
            _log.error("browser host did not stop in time and was killed", pid=process.pid)
            process.kill()
            process.wait()
        self._folder.end_left_processes()
