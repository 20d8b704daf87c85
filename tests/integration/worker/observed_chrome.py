"""A Chrome that a test can look into: the one that the worker would start, which in addition opens a DevTools port."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from fleet.settings import Settings
from tests.integration.redis_server import free_port

_HEAD = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_TEXT, _MASKED, _TWO_BYTES_OF_LENGTH = 0x81, 0x80, 126


class ObservedChrome:
    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        # FLEET_CHROME_PATH of the worker.
        self.path = folder / "chromium-observed"
        executable = Settings().chrome_executable()
        self.path.write_text(f'#!/bin/sh\nexec {executable} --remote-debugging-port={self._port} "$@"\n')
        self.path.chmod(0o755)

    def contexts(self) -> int:
        """How many there are beside Chrome's own."""
        return len(self._ask("Target.getBrowserContexts")["browserContextIds"])

    def _ask(self, method: str) -> dict[str, Any]:
        version = httpx.get(f"http://127.0.0.1:{self._port}/json/version").json()
        address = urlsplit(version["webSocketDebuggerUrl"])
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            connection.sendall(_HEAD.format(path=address.path, host=address.netloc).encode())
            with connection.makefile("rb") as answers:
                while answers.readline().strip():
                    pass
                question = json.dumps({"id": 1, "method": method}).encode()
                # Masked with zeros, which leaves it as it is.
                connection.sendall(bytes([_TEXT, _MASKED | len(question), 0, 0, 0, 0]) + question)
                length = answers.read(2)[1]
                if length == _TWO_BYTES_OF_LENGTH:
                    length = int.from_bytes(answers.read(2))
                result: dict[str, Any] = json.loads(answers.read(length))["result"]
                return result
