"""Celery's signals: what a node starts and stops, and what every log line of a task carries."""

import gc
import random
import signal
import time
from typing import Any

import celery.apps.worker
import structlog
from billiard.exceptions import WorkerLostError
from celery.signals import (
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    task_received,
    worker_init,
    worker_shutdown,
    worker_shutting_down,
)
from celery.utils.log import current_process_index, get_multiprocessing_logger
from kombu.exceptions import OperationalError

from fleet.errors import StoreUnavailable
from fleet.logs import configure_logs
from fleet.metrics import MetricFiles
from fleet.models.session import EndReason
from fleet.queues import queue_for_all
from fleet.settings import settings
from fleet.store import Store, open_store
from fleet.store.messages import Message
from workers.broker import mend_closing
from workers.estate import Estate
from workers.host_process import HostProcess
from workers.metrics import WorkerCounts
from workers.node_folder import NodeFolder, metrics_folder

_log = structlog.get_logger(__name__)

# Of FLEET_SHUTDOWN_GRACE: jobs in hand may end in the first part, the host in the second; the rest is for the
# handing over.
_JOBS_SHARE, _HOST_SHARE = 0.6, 0.3

# Whoever starts programs tries again after that.
_STORE_PATIENCE_SECONDS = 300.0
_STORE_LOOK_SECONDS = 2.0

# A pool child was killed, or the broker is away: what follows from it is logged by whoever deals with it.
_EXPECTED = (WorkerLostError, OperationalError)

_host: HostProcess | None = None
_counts: WorkerCounts | None = None
_store: Store | None = None


def connect_hooks() -> None:
    mend_closing()
    celeryd_init.connect(_configure_logs)
    setup_logging.connect(_keep_logs)
    # Plain text past all logging, about a signal of which the log tells by itself.
    celery.apps.worker.safe_say = _say_nothing
    worker_init.connect(_start_node)
    worker_shutting_down.connect(_bound_shutdown)
    worker_shutdown.connect(_stop_node)
    task_received.connect(_note_message)
    task_prerun.connect(_bind_task)
    task_postrun.connect(_unbind_task)


def host() -> HostProcess:
    """Of this node, once it has been started."""
    assert _host is not None  # noqa: S101  # Celery sends worker_init first
    return _host


def counts() -> WorkerCounts:
    """Of this node, once it has been started; its children inherit them."""
    assert _counts is not None  # noqa: S101  # Celery sends worker_init first
    return _counts


def node_store() -> Store:
    """The Celery parent's one connection to the store, once the node has been started."""
    assert _store is not None  # noqa: S101  # Celery sends worker_init first
    return _store


def _configure_logs(sender: str, **_: Any) -> None:
    """`sender`: the name of the worker."""
    configure_logs(settings().log_level, settings().log_format, expected=_EXPECTED, part="worker", worker=sender)


def _keep_logs(**_: Any) -> None:
    """As they are: Celery sets up its own only where nobody answers to its signal."""
    # The pool's keeps to itself by default.
    get_multiprocessing_logger().propagate = True


def _say_nothing(*_: Any) -> None:
    pass


def _start_node(sender: Any, **_: Any) -> None:
    """Before the pool forks, so that its children inherit where the host is."""
    global _counts, _host, _store  # noqa: PLW0603  # Celery's signals carry no object of ours from start to stop
    folder = NodeFolder()
    _counts = WorkerCounts(MetricFiles(metrics_folder(folder.path), _place))
    _counts.leftovers_killed.inc(folder.litter)
    _store = open_store(settings(), retries=0, on_session_end=_counts.session_ended)
    _take_up_earlier_life(sender)
    _host = HostProcess(sender.hostname, folder, _counts, shutdown_grace=settings().shutdown_grace * _HOST_SHARE)
    _host.start()
    _share_memory_with_children()


def _place() -> str:
    """A pool child that is replaced has its place taken by the next one."""
    index = current_process_index()
    return "parent" if index is None else f"child-{index}"


def _share_memory_with_children() -> None:
    """A child's collector writes to every object that it looks at, and so copies what it would share with the parent.

    Saves 15 to 20 MB for each child.
    """
    gc.collect()
    gc.freeze()


def _take_up_earlier_life(worker: Any) -> None:
    """A worker that was killed and comes back under its name need not wait to be taken for lost.

    It must not begin without: once it has a lease again, nobody else sends again what it had in hand.
    """
    assert _store is not None  # noqa: S101  # just opened
    deadline = time.monotonic() + _STORE_PATIENCE_SECONDS
    while True:
        try:
            _store.workers.begin_anew(worker.hostname)
            Estate(worker.app, _store, worker.hostname).send_messages_again()
            break
        except (StoreUnavailable, OperationalError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"Redis did not answer for {_STORE_PATIENCE_SECONDS:.0f} s; see FLEET_REDIS_URL."
                ) from None
            _log.warning("waits for Redis", cause=str(error))
            time.sleep(_STORE_LOOK_SECONDS * random.uniform(0.5, 1))
    # The pool is forked from here, and must not share a connection.
    _store.client.connection_pool.disconnect()


def _note_message(request: Any, **_: Any) -> None:
    """In the parent, as soon as the message is here: from now on it would be lost with this worker."""
    if _store is None:
        return
    # If this worker is lost, nobody listens to its own queue.
    queue = queue_for_all(request.delivery_info["routing_key"])
    message = Message(id=request.id, queue=queue, task=request.name, argument=request.args[0])
    try:
        _store.messages.take(request.hostname, message)
    except StoreUnavailable:
        # It would come back by itself in the end: fleet.store.VISIBILITY_TIMEOUT_SECONDS.
        _log.warning("message not noted", message=request.id)


def _bound_shutdown(sender: str, sig: str, how: str, **_: Any) -> None:
    """Jobs that take too long are handed back; a second SIGTERM hands them back now."""
    _log.info("worker shuts down", worker=sender, signal=sig, how=how)
    signal.signal(signal.SIGALRM, _end_jobs)
    signal.signal(signal.SIGTERM, _end_jobs)
    signal.setitimer(signal.ITIMER_REAL, settings().shutdown_grace * _JOBS_SHARE)


def _end_jobs(*_: Any) -> None:
    host().tell_to_stop()


def _stop_node(sender: Any, **_: Any) -> None:
    """After the pool has ended, so that a warm shutdown lets jobs finish."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    host().stop()
    assert _store is not None  # noqa: S101  # Celery sends worker_init first
    try:
        Estate(sender.app, _store, sender.hostname).hand_over(EndReason.DRAINED)
    except (StoreUnavailable, OperationalError) as error:
        _log.error("not handed over; another worker does it when it is missed", cause=str(error))


def _bind_task(task: Any, task_id: str, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name, message=task_id)


def _unbind_task(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "message")
