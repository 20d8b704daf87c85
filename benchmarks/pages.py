"""The pages that every contender captures, served from this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from examples.site.server import ExampleSite

_TINY = b"""<!doctype html><html lang="en"><title>Tiny</title>
<body style="font: 16px sans-serif; margin: 2em"><h1>A tiny page</h1><p>Two lines of text, no resources.</p></body>
"""


class _TinyPage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # http.server's name
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_TINY)))
        self.end_headers()
        self.wfile.write(_TINY)

    def log_message(self, *_: object) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def serve_pages() -> Iterator[dict[str, str]]:
    """Name and URL of each page."""
    tiny = _Server(("127.0.0.1", 0), _TinyPage)
    Thread(target=tiny.serve_forever, daemon=True).start()
    with ExampleSite() as site:
        yield {"tiny": f"http://127.0.0.1:{tiny.server_port}/", "article": f"{site.url}/article"}
    tiny.shutdown()
    tiny.server_close()
