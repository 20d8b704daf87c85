"""gunicorn's settings: `gunicorn --config python:app.gunicorn_config app.wsgi:application`."""

import signal
from types import FrameType
from typing import Any

import structlog

from app.bind import refuse_open_bind
from app.gunicorn_logger import GunicornLogger
from app.metric_files import open_metric_files, remove_metric_files, take_place
from app.wiring import EXTENSION
from fleet.api_keys import parse_api_keys
from fleet.logs import configure_logs
from fleet.settings import settings

# The first that runs of the API; its processes are forked from here.
configure_logs(settings().log_level, settings().log_format, part="api")
# Here, so that the whole server stops and not just one child of it.
api_keys = parse_api_keys(settings().api_keys.get_secret_value())
refuse_open_bind(settings().bind, has_keys=bool(api_keys))
if api_keys and not any(key.is_admin for key in api_keys):
    structlog.get_logger(__name__).warning("no API key is marked :admin, so nobody may drain a worker")
bind = settings().bind
# Measured in docs/decisions/0004: threads hold hundreds of waiting clients for less memory than a second process.
worker_class = "gthread"
workers = 1
threads = settings().api_threads
worker_connections = 4 * threads
backlog = 2048
# Of the worker process as a whole, not of a request: waiting clients do not trip it.
timeout = 30
graceful_timeout = settings().shutdown_grace
keepalive = 15
# One control socket for every gunicorn of the user would collide.
control_socket_disable = True
loglevel = settings().log_level.lower()
logger_class = GunicornLogger


def on_starting(server: Any) -> None:  # noqa: ARG001  # gunicorn hands it over
    open_metric_files()


def pre_fork(server: Any, worker: Any) -> None:
    """A process that takes the place of one that died goes on counting in its files."""
    taken = {other.place for other in server.WORKERS.values()}
    worker.place = next(number for number in range(len(taken) + 1) if number not in taken)


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001  # gunicorn hands it over
    take_place(worker.place)


def worker_exit(_server: Any, worker: Any) -> None:
    """Viewers' sockets are not the server's any more, so that it does not wait for them."""
    worker.wsgi.extensions[EXTENSION].viewers.wait_until_stopped()


def on_exit(server: Any) -> None:  # noqa: ARG001  # gunicorn hands it over
    remove_metric_files()


def post_worker_init(worker: Any) -> None:
    """Clients that wait for a job are answered, and viewers told, when the shutdown begins, not when it must end."""
    stop_gracefully: Any = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        services = worker.wsgi.extensions[EXTENSION]
        services.waiter.stop()
        services.viewers.stop()
        stop_gracefully(number, frame)

    signal.signal(signal.SIGTERM, stop)
