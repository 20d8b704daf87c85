"""What a pool child holds: connections only, opened at its first job, so that nothing is shared across the fork."""

from datetime import timedelta
from functools import cache

from kombu.exceptions import OperationalError

from fleet.artifacts.storage import open_storage
from fleet.errors import StoreUnavailable
from fleet.settings import settings
from fleet.store import Store, open_store
from workers.artifact_writer import ArtifactWriter
from workers.batch_feeder import BatchFeeder, Shares
from workers.capture_runner import CaptureRunner
from workers.celery_app import app
from workers.hooks import counts
from workers.host_process import host_socket
from workers.job_runner import JobRunner
from workers.link.client import HostClient
from workers.session_runner import SessionRunner
from workers.session_work import SessionWork

# Work in hand outlasts a restart of Redis: about 20 s of tries for each command.
_STORE_RETRIES = 14


@cache
def store() -> Store:
    return open_store(settings(), retries=_STORE_RETRIES, on_session_end=counts().session_ended)


@cache
def batch_feeder() -> BatchFeeder:
    config = settings()
    return BatchFeeder(store(), Shares.of(config), _send, on_end=counts().batch_item_ended)


def _send(task: str, argument: str, queue: str) -> None:
    try:
        app.send_task(task, args=[argument], queue=queue)
    except OperationalError as error:
        message = "The queue does not answer."
        raise StoreUnavailable(message) from error


@cache
def _host() -> HostClient:
    return HostClient(host_socket())


@cache
def _jobs() -> JobRunner:
    return JobRunner(store(), counts(), on_batch_job_end=batch_feeder().job_ended)


@cache
def _writer() -> ArtifactWriter:
    config = settings()
    ttl = timedelta(seconds=config.artifact_ttl)
    return ArtifactWriter(store().artifacts, open_storage(config.artifacts_url), ttl=ttl)


@cache
def capture_runner() -> CaptureRunner:
    return CaptureRunner(store(), _host(), _jobs(), _writer())


@cache
def session_runner() -> SessionRunner:
    return SessionRunner(store(), _host(), _jobs(), SessionWork(store(), _host(), _writer()))
