"""All that is kept in Redis, by noun. fleet/keys.py has the catalogue."""

from collections.abc import Callable
from dataclasses import dataclass

from fleet.models.session import EndReason
from fleet.models.waits import CAPTURE_TIMEOUT_MAX
from fleet.settings import Settings
from fleet.store.artifacts import ArtifactRecordStore
from fleet.store.asks import AskStore
from fleet.store.batch_items import BatchItemStore
from fleet.store.batches import BatchStore
from fleet.store.checkpoints import CheckpointStore
from fleet.store.connection import RedisClient, connect
from fleet.store.events import EventStore
from fleet.store.fleet_state import FleetStateStore
from fleet.store.frames import FrameStore
from fleet.store.idempotency import IdempotencyStore
from fleet.store.jobs import JobStore
from fleet.store.messages import MessageStore
from fleet.store.rate import RateStore
from fleet.store.responses import ResponseStore
from fleet.store.room import Room
from fleet.store.scripts import ScriptStore
from fleet.store.session_counts import SessionCountStore
from fleet.store.session_jobs import SessionJobStore
from fleet.store.session_moves import SessionMoveStore
from fleet.store.sessions import SessionStore
from fleet.store.slots import SlotStore
from fleet.store.storage_states import StorageStateStore
from fleet.store.throughput import ThroughputStore
from fleet.store.viewers import ViewerStore
from fleet.store.waiting import WaitingStore
from fleet.store.webhooks import WebhookStore
from fleet.store.workers import WorkerStore

# The longest job, its artifacts stored and recorded; then its process is killed.
JOB_HARD_LIMIT_SECONDS = CAPTURE_TIMEOUT_MAX // 1000 + 60
# What is left of the hard limit then is for recording what happened.
JOB_SOFT_LIMIT_SECONDS = JOB_HARD_LIMIT_SECONDS - 15
# Longer than the longest job: until then the broker takes a message for one that is being worked on.
VISIBILITY_TIMEOUT_SECONDS = 2 * JOB_HARD_LIMIT_SECONDS

# More than anybody mistypes. A key is long enough not to be guessed at any rate; this one spares log and Redis.
_KEY_TRIES = "30/minute"


@dataclass(frozen=True)
class Store:
    client: RedisClient
    database: int
    jobs: JobStore
    sessions: SessionStore
    session_moves: SessionMoveStore
    session_jobs: SessionJobStore
    checkpoints: CheckpointStore
    slots: SlotStore
    room: Room
    storage_states: StorageStateStore
    responses: ResponseStore
    scripts: ScriptStore
    waiting: WaitingStore
    messages: MessageStore
    throughput: ThroughputStore
    events: EventStore
    viewers: ViewerStore
    frames: FrameStore
    asks: AskStore
    artifacts: ArtifactRecordStore
    batches: BatchStore
    batch_items: BatchItemStore
    webhooks: WebhookStore
    idempotency: IdempotencyStore
    session_rate: RateStore
    key_tries: RateStore
    workers: WorkerStore
    fleet_state: FleetStateStore


def open_store(
    settings: Settings, *, retries: int, on_session_end: Callable[[EndReason], None] = lambda _reason: None
) -> Store:
    """Connects at the first command. `retries`: see fleet.store.connection.connect.

    `on_session_end` hears of each session that this store ends.
    """
    client = connect(settings.redis_url, retries=retries)
    slots = SlotStore(client, limit=settings.sessions_per_worker)
    workers = WorkerStore(client)
    waiting = WaitingStore(client, limit=settings.queue_limit, job_ttl_seconds=settings.job_ttl)
    sessions = SessionStore(client, job_seconds=JOB_HARD_LIMIT_SECONDS, on_end=on_session_end)
    return Store(
        client=client,
        database=int(client.get_connection_kwargs().get("db", 0)),
        jobs=JobStore(client, ttl_seconds=settings.job_ttl),
        sessions=sessions,
        session_moves=SessionMoveStore(client),
        checkpoints=CheckpointStore(client),
        messages=MessageStore(client, ttl_seconds=VISIBILITY_TIMEOUT_SECONDS),
        session_jobs=SessionJobStore(client, lock_seconds=JOB_HARD_LIMIT_SECONDS + 30),
        slots=slots,
        room=Room(slots, workers),
        throughput=ThroughputStore(client),
        events=EventStore(client),
        viewers=ViewerStore(client, limit=settings.viewer_limit),
        frames=FrameStore(client),
        asks=AskStore(client),
        storage_states=StorageStateStore(client),
        responses=ResponseStore(client, limit=settings.response_limit, ttl_seconds=settings.response_ttl),
        scripts=ScriptStore(client, sessions, limit=settings.script_limit),
        waiting=waiting,
        artifacts=ArtifactRecordStore(client, ttl_seconds=settings.artifact_ttl),
        batches=BatchStore(client, ttl_seconds=settings.batch_ttl),
        batch_items=BatchItemStore(client, ttl_seconds=settings.batch_ttl),
        webhooks=WebhookStore(client),
        idempotency=IdempotencyStore(client),
        session_rate=RateStore(client, settings.redis_url, rate=settings.session_rate),
        key_tries=RateStore(client, settings.redis_url, rate=_KEY_TRIES),
        workers=workers,
        fleet_state=FleetStateStore(client, waiting, SessionCountStore(client)),
    )
