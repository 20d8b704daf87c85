"""A WebSocket out of an HTTP request: the answer to its handshake, and the socket below the server."""

import os
import socket
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from fleet.errors import InvalidRequest, UpgradeRequired


def is_wanted(headers: Mapping[str, str]) -> bool:
    return headers.get("Upgrade", "").lower() == "websocket"


def answer(path: str, headers: Iterable[tuple[str, str]]) -> Response:
    """Raises UpgradeRequired or InvalidRequest."""
    response = ServerProtocol().accept(Request(path, Headers(headers)))
    if response.status_code == HTTPStatus.UPGRADE_REQUIRED:
        raise UpgradeRequired("This is a WebSocket; open it with a WebSocket client.")
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        raise InvalidRequest((response.body or b"").decode(errors="replace").strip().removesuffix("."))
    return response


class TakenSocket:
    """The request's socket is ours from now on; `release` what the server closes in its place, once it has answered.

    The server takes the request for answered when the application returns, closes its socket, and uses its thread for
    others. So that a viewer costs no thread, its socket moves to a descriptor of ours, and under the old one the
    server finds the end of a pipe that nobody reads.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        given: socket.socket = environ["gunicorn.socket"]
        self.socket = socket.socket(fileno=os.dup(given.fileno()))
        substitute, self._other_end = socket.socketpair()
        os.dup2(substitute.fileno(), given.fileno(), inheritable=False)
        substitute.close()

    def release(self) -> None:
        self._other_end.close()
