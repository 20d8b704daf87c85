"""The Celery application: `celery -A workers.celery_app worker` is the one command of a worker node."""

from celery import Celery
from kombu import Exchange, Queue

from fleet.queues import SHARED_QUEUES
from fleet.redis_address import broker
from fleet.settings import settings
from fleet.store import JOB_HARD_LIMIT_SECONDS, JOB_SOFT_LIMIT_SECONDS, VISIBILITY_TIMEOUT_SECONDS
from workers.batch_look import BatchLook
from workers.creation_queue import CreationQueue
from workers.drain import Drain
from workers.hooks import connect_hooks
from workers.host_watch import HostEndWatch, HostHangWatch
from workers.lost_messages import LostMessages
from workers.lost_workers import LostWorkers

_broker_url, _broker_options = broker(settings().redis_url)

app = Celery("fleet", broker=_broker_url, include=["workers.tasks.captures", "workers.tasks.sessions"])
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    # Job records in the store are the results; a copy in a result backend would be a second truth.
    task_ignore_result=True,
    task_acks_late=True,
    # A child that dies (out of memory, SIGKILL) or is killed at its time limit gives its message back,
    # and the job runs again, at most as often as workers.outcomes allows.
    task_reject_on_worker_lost=True,
    task_acks_on_timeout=False,
    task_soft_time_limit=JOB_SOFT_LIMIT_SECONDS,
    task_time_limit=JOB_HARD_LIMIT_SECONDS,
    task_queues=[Queue(name, Exchange(name), routing_key=name) for name in SHARED_QUEUES],
    task_create_missing_queues=False,
    worker_direct=True,
    # As many messages as children: what waits, waits in Redis, where other workers can take it.
    worker_prefetch_multiplier=1,
    worker_consumer="workers.consumer:Consumer",
    worker_send_task_events=True,
    task_send_sent_event=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        **_broker_options,
    },
)
app.steps["consumer"].update([BatchLook, CreationQueue, Drain, HostEndWatch, HostHangWatch, LostMessages, LostWorkers])
connect_hooks()
