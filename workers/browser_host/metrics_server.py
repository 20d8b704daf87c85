"""GET /metrics of a worker, answered by a thread of its browser host."""

import socket
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from fleet.errors import InternalError

# A scraper that does not send its request, or does not read the answer, makes others wait no longer than this.
_CLIENT_SECONDS = 5.0
_POLL_SECONDS = 0.1
# A worker that stops has better things to do than to wait for one.
_STOP_SECONDS = 1.0
_ALL_ADDRESSES = ("0.0.0.0", "[::]")  # noqa: S104  # bound only where the operator says so


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_SECONDS

    def log_message(self, *_: object) -> None:
        """A scrape every few seconds, for ever, is nothing to tell of."""


class MetricsServer:
    """Serves one request at a time, so that scrapers take one thread and no more of the worker."""

    def __init__(self, bind: str, registry: CollectorRegistry) -> None:
        """`bind`: HOST:PORT; port 0: any that is free."""
        self._bind = bind
        self._registry = registry
        self._server: WSGIServer | None = None

    @property
    def address(self) -> str | None:
        """As others reach it, if its host is theirs. None: not started."""
        if self._server is None:
            return None
        host = self._bind.rpartition(":")[0]
        return f"{socket.gethostname() if host in _ALL_ADDRESSES else host}:{self._server.server_port}"

    def start(self) -> None:
        """Raises InternalError if the address cannot be bound."""
        host, _, port = self._bind.rpartition(":")
        application = make_wsgi_app(self._registry)
        try:
            self._server = make_server(host.strip("[]"), int(port), application, handler_class=_Handler)
        except OSError as error:
            message = f"FLEET_METRICS_BIND is {self._bind}, which cannot be bound ({error.strerror})."
            raise InternalError(message) from error
        serving = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="metrics", daemon=True
        )
        serving.start()

    def stop(self) -> None:
        """Blocks for a moment, in which a scrape in hand is answered."""
        if self._server is not None:
            stopping = threading.Thread(target=self._server.shutdown, daemon=True)
            stopping.start()
            stopping.join(_STOP_SECONDS)
            self._server.server_close()
