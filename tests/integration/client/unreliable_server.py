"""A server that answers as it was told to, one request after the other, and remembers what it was sent."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class Handler(BaseHTTPRequestHandler):
    """`give` writes an answer to it."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.command, self.path, headers, body, time.monotonic()))
        self.server.answers.pop(0)(self)

    do_DELETE = do_PATCH = do_POST = do_GET  # noqa: N815  # the names there

    def give(
        self, status: int, body: bytes, *, promised: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """`promised`: bytes that are said to come, if not those of the body."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = promised is not None

    def give_in_pieces(self, body: bytes, *, to_its_end: bool = True) -> None:
        """Without saying before how much will come."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(body), body))
        if to_its_end:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = not to_its_end

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name there
        pass


Answer = Callable[[Handler], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    received: list[Received]
    answers: list[Answer]


@dataclass(frozen=True)
class UnreliableServer:
    url: str
    received: list[Received] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def will(self, *answers: Answer) -> None:
        self.answers.extend(answers)


def hang_up(handler: Handler) -> None:
    """Without a word."""
    handler.close_connection = True


def json_answer(body: dict[str, Any], status: int = 200, **headers: str) -> Answer:
    return lambda handler: handler.give(status, json.dumps(body).encode(), headers=headers)


def refusal(status: int, code: str, **headers: str) -> Answer:
    error = {"code": code, "message": "m", "details": {}, "request_id": "req_1"}
    return json_answer({"error": error}, status, **headers)


@contextmanager
def unreliable_server() -> Iterator[UnreliableServer]:
    with _Server(("127.0.0.1", 0), Handler) as server:
        told = UnreliableServer(f"http://127.0.0.1:{server.server_port}")
        server.received, server.answers = told.received, told.answers
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
