"""Pages that mean harm: one file each in `hostile/`, and the answers that they ask for."""

import gzip
import socket
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "hostile"
_GIGABYTE = 1024**3
_CHUNK = bytes(1024 * 1024)
_WEBSOCKET_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# A text frame of 65,000 characters: final, length in two bytes.
_FRAME = b"\x81\x7e" + (65_000).to_bytes(2, "big") + b"x" * 65_000

Page = Callable[[Any, str], None]


def _hostile(handler: Any, name: str) -> None:
    handler.send((_FOLDER / f"{name}.html").read_text())


def _gigabyte(handler: Any, _argument: str) -> None:
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(_GIGABYTE)}
    handler.send_head(200, headers | {"Content-Disposition": 'attachment; filename="large.bin"'})
    for _ in range(_GIGABYTE // len(_CHUNK)):
        handler.wfile.write(_CHUNK)


@cache
def _bomb() -> bytes:
    """A gigabyte of zeros, packed; members of a gzip file may follow each other."""
    return gzip.compress(_CHUNK * 64) * 16


def _gzip_bomb(handler: Any, kind: str) -> None:
    content_type = "text/html" if kind == "html" else "application/octet-stream"
    handler.send(_bomb(), content_type=content_type, Content_Encoding="gzip")


def _flood(handler: Any, _argument: str) -> None:
    """A WebSocket that sends for ever and reads nothing."""
    key = handler.headers["Sec-WebSocket-Key"] + _WEBSOCKET_KEY
    accept = b64encode(sha1(key.encode(), usedforsecurity=False).digest()).decode()
    handler.protocol_version = "HTTP/1.1"
    handler.send_head(101, {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept})
    handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while not handler.server.stopping.is_set():
        handler.wfile.write(_FRAME)


def _looping_worker(handler: Any, _argument: str) -> None:
    handler.send("onactivate = () => clients.claim(); onfetch = () => { for (;;) {} }", content_type="text/javascript")


HOSTILE_PAGES: dict[str, Page] = {
    "hostile": _hostile,
    "gigabyte": _gigabyte,
    "gzip-bomb": _gzip_bomb,
    "flood": _flood,
    "looping-worker.js": _looping_worker,
}
