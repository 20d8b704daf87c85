"""A WebSocket client of the stream."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integration.worker.api_process import Api

_SECONDS = 20


class Viewer:
    def __init__(self, api: Api, session_id: str, **query: str | int) -> None:
        """Raises Refused."""
        url = f"{api.url.replace('http', 'ws', 1)}/api/sessions/{session_id}/stream?{urlencode(query)}"
        try:
            self.socket: ClientConnection = connect(url, open_timeout=_SECONDS, legacy=True)
        except InvalidStatus as error:
            raise Refused(
                error.response.status_code, dict(error.response.headers), bytes(error.response.body or b"")
            ) from error

    def send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def next(self) -> dict[str, Any] | bytes:
        message = self.socket.recv(timeout=_SECONDS)
        return json.loads(message) if isinstance(message, str) else message

    def event(self, of: str) -> dict[str, Any]:
        """The next of that type."""
        while True:
            message = self.next()
            if isinstance(message, dict) and message["type"] == of:
                return message

    def picture(self) -> bytes:
        """The next one."""
        while True:
            message = self.next()
            if isinstance(message, bytes):
                return message

    def close_code(self) -> tuple[int, str]:
        """Once it has been closed, and why."""
        try:
            while True:
                self.next()
        except ConnectionClosed as closed:
            said = closed.rcvd
        assert said is not None, "cut off without a word"
        return said.code, said.reason

    def close(self) -> None:
        self.socket.close()


class Refused(Exception):
    """The handshake was answered with an error."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(status, body)
        self.status = HTTPStatus(status)
        self.headers = headers
        self.error: dict[str, Any] = json.loads(body)["error"]
