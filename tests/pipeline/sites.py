"""Many small sites, each at an address of its own on the loopback; behind some addresses there is none."""

import socket
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

# One hue each, so that no two pages make the same picture.
_PAGE = """<!doctype html><html lang="en"><head><title>Product {number}</title></head>
<body style="background: hsl({hue} 60% 85%)"><h1>Product {number}</h1><p>Of the shop at {host}.</p></body></html>"""


class Sites:
    """From `__enter__` to `__exit__`; `failing` of `count` refuse all connections."""

    def __init__(self, count: int, failing: int) -> None:
        self._hosts = [f"127.0.1.{number}" for number in range(1, count + 1)]
        self._failing = set(self._hosts[:failing])
        self._port = 0
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._port = _free_port()
        try:
            for host in self._hosts:
                if host not in self._failing:
                    self._open.enter_context(_Site(host, self._port))
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def urls(self, count: int) -> list[str]:
        """One page after the other of all sites in turn."""
        return [f"http://{self._hosts[n % len(self._hosts)]}:{self._port}/products/{n}" for n in range(count)]

    def sound_url(self) -> str:
        return f"http://{self._hosts[-1]}:{self._port}/products/single"

    def fails(self, url: str) -> bool:
        return url.removeprefix("http://").partition(":")[0] in self._failing


class _Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host, number = self.headers["Host"], self.path.rpartition("/")[2]
        page = _PAGE.format(number=number, host=host, hue=sum(number.encode()) * 7 % 360).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.1.1", 0))
        port: int = probe.getsockname()[1]
        return port
