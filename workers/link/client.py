"""The asking side: synchronous, with a deadline that cancels the call in the host."""

import random
import socket
import time
from pathlib import Path

from fleet.errors import BrowserUnavailable, WorkerStopping
from workers.link import protocol

_CONNECT_PAUSE_CAP_SECONDS = 1.0
# The host keeps the deadline itself; this is how much later it is taken for hung.
_ANSWER_MARGIN_SECONDS = 10.0


def stopping_mark(socket_path: Path) -> Path:
    """The file whose presence tells that the host ends and is not to be waited for."""
    return socket_path.with_suffix(".stopping")


class HostClient:
    def __init__(self, socket_path: Path, *, patience_seconds: float = 15.0) -> None:
        """`patience_seconds`: how long a host that does not listen yet is waited for."""
        self._path = socket_path
        self._patience_seconds = patience_seconds

    def call(self, command: str, params: protocol.Message, *, timeout_seconds: float) -> protocol.Message:
        """The command's result.

        Raises the error that the command raised in the host, BrowserUnavailable if the host is not there or
        does not answer, or WorkerStopping if it is not to come back. Any exception that leaves this function
        cancels the call in the host.
        """
        deadline = time.monotonic() + timeout_seconds + _ANSWER_MARGIN_SECONDS
        with self._connect() as connection:
            try:
                connection.settimeout(_remaining(deadline))
                connection.sendall(protocol.encode(protocol.request(command, params, timeout_seconds)))
                (length,) = protocol.LENGTH.unpack(_read(connection, protocol.LENGTH.size, deadline))
                answer = _read(connection, length, deadline)
            except OSError as error:
                message = "The browser host went away or did not answer in time. Send the job again."
                raise BrowserUnavailable(message) from error
        return protocol.result_of(protocol.decode(answer))

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + self._patience_seconds
        pause = 0.05
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(_remaining(deadline))
                connection.connect(str(self._path))
            except OSError as error:
                connection.close()
                if stopping_mark(self._path).exists():
                    raise WorkerStopping("This worker stops. Send the job again.") from error
                if time.monotonic() + pause > deadline:
                    message = "The browser host of this worker does not run. Send the job again."
                    raise BrowserUnavailable(message) from error
            else:
                return connection
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, _CONNECT_PAUSE_CAP_SECONDS)


def _remaining(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


def _read(connection: socket.socket, length: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        connection.settimeout(_remaining(deadline))
        part = connection.recv(min(length - len(parts), 1024 * 1024))
        if not part:
            raise ConnectionResetError
        parts += part
    return bytes(parts)
