"""The browser host as a child process of the Celery parent.

No thread is started here: the parent forks its pool after the host has been started.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import structlog

from workers.node_folder import NodeFolder

_log = structlog.get_logger(__name__)

# Pool children find the host of their node by this variable, which they inherit.
_SOCKET_VARIABLE = "FLEET_HOST_SOCKET"


def host_socket() -> Path:
    return Path(os.environ[_SOCKET_VARIABLE])


class HostProcess:
    def __init__(self, worker_name: str, *, shutdown_grace: float) -> None:
        """`shutdown_grace`: seconds that the host has to end by itself."""
        self._worker_name = worker_name
        self._shutdown_grace = shutdown_grace
        # Socket, Chrome's profile and all other temporary files of this node; removed with it.
        self._folder = NodeFolder()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._folder.end_left_processes()
        # What the parent and the pool write, too.
        tempfile.tempdir = str(self._folder.path)
        socket = self._folder.path / "host.sock"
        os.environ[_SOCKET_VARIABLE] = str(socket)
        command = [
            *(sys.executable, "-m", "workers.browser_host"),
            *("--worker", self._worker_name, "--socket", str(socket), "--parent", str(os.getpid())),
        ]
        # A session of its own: Ctrl-C in a terminal reaches the parent only, which stops the host last.
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, start_new_session=True, env=self._environment()
        )
        _log.info("browser host started", pid=self._process.pid)

    def _environment(self) -> dict[str, str]:
        # Playwright's driver keeps some 20 MB less; what the operator has set for Node comes after it and wins.
        node_options = f"--max-semi-space-size=1 {os.environ.get('NODE_OPTIONS', '')}".strip()
        return {**os.environ, "TMPDIR": str(self._folder.path), "NODE_OPTIONS": node_options}

    def stop(self) -> None:
        """Ends the host, by force after the grace, and removes its folder. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(self._shutdown_grace)
        except subprocess.TimeoutExpired:
            _log.error("browser host did not stop in time and was killed", pid=process.pid)
            process.kill()
            process.wait()
        self._folder.remove()
