"""The only place where a Redis key is spelled.

Keys of one session, and keys of one job, share a hash tag, so that a script or MULTI over them stays
on one node of a Redis Cluster. `CATALOGUE` says of each key who writes it, who reads it, and when it ends.
"""

from dataclasses import dataclass
from typing import Final

# How long an ended session is remembered, in seconds.
GRAVE_SECONDS: Final = 3600
# A lease that is not renewed for this long means that its worker is gone.
WORKER_LEASE_SECONDS: Final = 15
# Indexes are trimmed as they are written; this ends one that nobody writes any more.
INDEX_SECONDS: Final = 8 * 86_400
IDEMPOTENCY_SECONDS: Final = 86_400
# Whoever hands over what a lost worker held has this long before another one tries again.
ESTATE_SECONDS: Final = 60
DRAIN_SECONDS: Final = 86_400
# Workers look at the queues at least so often, whoever else asks.
QUEUE_ALERT_SECONDS: Final = 300
# Secrets: no longer than the API takes to fetch them.
STORAGE_STATE_SECONDS: Final = 60
# An API that ends without a word takes its viewers along after this.
VIEWER_LEASE_SECONDS: Final = 30
# Of all workers one looks for lost messages, and no more often than this.
LOST_LOOK_SECONDS: Final = 10
# In large fleets sessions are counted for all readers, and no more often than this.
SESSION_COUNTS_SECONDS: Final = 10
# The last frame of a page that rests, renewed while somebody watches.
FRAME_SECONDS: Final = 15
# What is left of a batch whose items stop coming while it is accepted.
BATCH_ACCEPTING_SECONDS: Final = 300
BATCHES_LOOK_SECONDS: Final = 1
# A batch tells how an item ended; its job is kept for those who followed that alone.
BATCH_JOB_SECONDS: Final = 120
# One step of the sweep of artifacts is shorter, object stores with their timeouts included; the next renews it.
SWEEPER_LEASE_SECONDS: Final = 120
# After its last step.
WEBHOOK_SECONDS: Final = 7 * 86_400
WEBHOOKS_LOOK_SECONDS: Final = 1


@dataclass(frozen=True)
class CatalogueEntry:
    pattern: str
    type: str
    ttl: str
    writer: str
    reader: str


CATALOGUE: Final = (
    CatalogueEntry(
        "fleet:session:{id}", "hash", "the session's ttl, renewed by every use", "store.sessions", "API, worker"
    ),
    CatalogueEntry("fleet:session:{id}:options", "string", "as the session", "store.sessions", "worker"),
    CatalogueEntry("fleet:session:{id}:scripts", "list", "as the session", "store.scripts", "API, worker"),
    CatalogueEntry("fleet:session:{id}:checkpoint", "string", "as the session", "store.checkpoints", "worker"),
    CatalogueEntry("fleet:session:{id}:jobs", "list", "as the session, + 1 h", "store.session_jobs", "worker"),
    CatalogueEntry("fleet:session:{id}:lock", "string", "a job's hard time limit", "store.session_jobs", "worker"),
    CatalogueEntry("fleet:session:{id}:grave", "hash", "the session's end + 1 h", "store.sessions", "API"),
    CatalogueEntry("fleet:slots:NAME", "zset", "its last lease, each as its session", "store.slots", "worker"),
    CatalogueEntry(
        "fleet:session:{id}:responses", "zset", "as its newest response", "store.responses", "API, store.sessions"
    ),
    CatalogueEntry("fleet:session:{id}:responses:ID", "string", "FLEET_RESPONSE_TTL", "store.responses", "API"),
    CatalogueEntry("fleet:session:{id}:responses:ID:body", "string", "FLEET_RESPONSE_TTL", "store.responses", "API"),
    CatalogueEntry("fleet:session:{id}:viewers", "zset", "30 s, renewed", "store.viewers", "worker"),
    CatalogueEntry("fleet:session:{id}:frame", "string", "15 s, renewed while it is watched", "store.frames", "API"),
    CatalogueEntry("fleet:viewers", "zset", "30 s, renewed", "store.viewers", "API"),
    CatalogueEntry("fleet:sessions", "zset", "8 days, renewed", "store.sessions", "API"),
    CatalogueEntry("fleet:sessions:counts", "string", "10 s", "store.session_counts", "API"),
    CatalogueEntry("fleet:job:{id}", "hash", "FLEET_JOB_TTL", "store.jobs", "API, worker"),
    CatalogueEntry("fleet:job:{id}:request", "string", "FLEET_JOB_TTL", "store.jobs", "worker"),
    CatalogueEntry("fleet:job:{id}:storage_state", "string", "60 s, or when it is read", "store.storage_states", "API"),
    CatalogueEntry("fleet:jobs", "zset", "8 days, renewed", "store.jobs", "API"),
    CatalogueEntry("fleet:waiting:QUEUE", "zset", "8 days, renewed", "store.waiting", "API"),
    CatalogueEntry("fleet:throughput:NAME:BUCKET", "string", "70 s", "store.throughput", "API"),
    CatalogueEntry("fleet:artifact:ID", "string", "FLEET_ARTIFACT_TTL", "store.artifacts", "API"),
    CatalogueEntry(
        "fleet:batch:{id}", "hash", "FLEET_BATCH_TTL, renewed", "store.batches, store.batch_items", "API, worker"
    ),
    CatalogueEntry("fleet:batch:{id}:capture", "string", "as the batch", "store.batches", "worker"),
    CatalogueEntry("fleet:batch:{id}:items", "list", "as the batch", "store.batches", "API, worker"),
    CatalogueEntry("fleet:batch:{id}:claimed", "string", "as the batch", "store.batch_items", "worker"),
    CatalogueEntry("fleet:batch:{id}:running", "hash", "as the batch", "store.batch_items", "API, worker"),
    CatalogueEntry("fleet:batch:{id}:retries", "zset", "as the batch", "store.batch_items", "worker"),
    CatalogueEntry("fleet:batch:{id}:hosts", "zset", "as the batch", "store.batch_items", "worker"),
    CatalogueEntry("fleet:batch:{id}:positions", "string", "as the batch", "store.batch_items", "API"),
    CatalogueEntry("fleet:batch:{id}:outcomes", "list", "as the batch", "store.batch_items", "API"),
    CatalogueEntry("fleet:batches", "zset", "8 days, renewed", "store.batches", "API"),
    CatalogueEntry("fleet:batches:active", "zset", "8 days, renewed", "store.batches", "worker"),
    CatalogueEntry("fleet:batches:look", "string", "1 s", "store.batches", "worker"),
    CatalogueEntry("fleet:artifacts:sweeper", "zset", "2 min, renewed", "store.artifacts", "worker"),
    CatalogueEntry("fleet:webhook:{id}", "hash", "7 days after its last step", "store.webhooks", "API, worker"),
    CatalogueEntry("fleet:webhooks", "zset", "8 days, renewed", "store.webhooks", "API"),
    CatalogueEntry("fleet:webhooks:of:SUBJECT", "zset", "7 days after its newest", "store.webhooks", "API"),
    CatalogueEntry(
        "fleet:webhooks:expected:SUBJECT", "string", "8 days, or its subject's end", "store.webhooks", "worker"
    ),
    CatalogueEntry(
        "fleet:webhooks:expected", "zset", "8 days, renewed", "store.webhooks, store.jobs, store.sessions", "worker"
    ),
    CatalogueEntry("fleet:webhooks:look", "string", "1 s", "store.webhooks", "worker"),
    CatalogueEntry("fleet:webhooks:due", "zset", "8 days, renewed", "store.webhooks", "worker"),
    CatalogueEntry("fleet:webhooks:due:RECEIVER", "zset", "8 days, renewed", "store.webhooks", "worker"),
    CatalogueEntry("fleet:webhooks:due:RECEIVER:hand", "zset", "8 days, renewed", "store.webhooks", "worker"),
    CatalogueEntry("fleet:idempotency:HASH", "string", "24 h", "store.idempotency", "API"),
    CatalogueEntry("fleet:rate:CLIENT", "list", "the window of its rate", "store.rate", "API"),
    CatalogueEntry("fleet:worker:NAME", "string", "15 s, renewed", "store.workers", "API, worker"),
    CatalogueEntry("fleet:worker:NAME:messages", "hash", "12 min, renewed", "store.messages", "worker"),
    CatalogueEntry("fleet:worker:NAME:estate", "string", "60 s", "store.workers", "worker"),
    CatalogueEntry("fleet:worker:NAME:drain", "string", "a day", "store.workers", "worker"),
    CatalogueEntry("fleet:workers", "zset", "8 days, renewed", "store.workers", "API"),
    CatalogueEntry("fleet:workers:able", "string", "8 days, renewed", "store.workers, store.fleet_state", "API"),
    CatalogueEntry("fleet:workers:lost", "zset", "2 min", "store.workers", "API"),
    CatalogueEntry("fleet:waiting:QUEUE:high", "string", "5 min, renewed", "store.waiting", "API"),
    CatalogueEntry("fleet:waiting:QUEUE:look", "string", "10 s", "store.waiting", "worker"),
)

# Pub/sub channels hold nothing. Payload: a job id. Every process of the API hears of ended jobs; every host hears of
# jobs that are to be cancelled and whose worker does not listen.
JOB_ENDED_CHANNEL: Final = "fleet:events:job-ended"
JOB_CANCEL_CHANNEL: Final = "fleet:events:job-cancel"

# What is told on the channel of a session's news.
NEWS_ENDED: Final = "ended"
NEWS_VIEWERS: Final = "viewers"
# What Redis tells on the channel of a key that has come to its end.
EXPIRED: Final = "expired"

SESSION_INDEX: Final = "fleet:sessions"
SESSION_COUNTS: Final = "fleet:sessions:counts"
# The limits library spells what follows it: strategy, client, rate.
RATE_PREFIX: Final = "fleet:rate"
JOB_INDEX: Final = "fleet:jobs"
WORKER_INDEX: Final = "fleet:workers"
# When a worker that takes work reported last.
WORKERS_ABLE: Final = "fleet:workers:able"
# Who was lost, and when.
WORKERS_LOST: Final = "fleet:workers:lost"
VIEWERS: Final = "fleet:viewers"
BATCH_INDEX: Final = "fleet:batches"
# Those that have not ended, by when an item of them was begun last.
BATCHES_ACTIVE: Final = "fleet:batches:active"
# Held by the one worker that looks after them at the moment.
BATCHES_LOOK: Final = "fleet:batches:look"
ARTIFACT_SWEEPER: Final = "fleet:artifacts:sweeper"
WEBHOOK_INDEX: Final = "fleet:webhooks"
# By when it is looked whether their subjects have ended; 0: at once.
WEBHOOKS_EXPECTED: Final = "fleet:webhooks:expected"
# Held by the one worker that looks for ends at the moment.
WEBHOOKS_LOOK: Final = "fleet:webhooks:look"
# Receivers, by when one of their webhooks is due and they have room for it.
WEBHOOKS_DUE: Final = "fleet:webhooks:due"


def session(session_id: str) -> str:
    return f"fleet:session:{{{session_id}}}"


def session_options(session_id: str) -> str:
    return f"{session(session_id)}:options"


def session_scripts(session_id: str) -> str:
    return f"{session(session_id)}:scripts"


def session_checkpoint(session_id: str) -> str:
    return f"{session(session_id)}:checkpoint"


def session_jobs(session_id: str) -> str:
    return f"{session(session_id)}:jobs"


def session_lock(session_id: str) -> str:
    return f"{session(session_id)}:lock"


def session_grave(session_id: str) -> str:
    return f"{session(session_id)}:grave"


def slots(worker_name: str) -> str:
    return f"fleet:slots:{worker_name}"


def session_responses(session_id: str) -> str:
    return f"{session(session_id)}:responses"


def session_response(session_id: str, response_id: str) -> str:
    return f"{session_responses(session_id)}:{response_id}"


def session_response_body(session_id: str, response_id: str) -> str:
    return f"{session_response(session_id, response_id)}:body"


def session_viewers(session_id: str) -> str:
    return f"{session(session_id)}:viewers"


def session_frame(session_id: str) -> str:
    return f"{session(session_id)}:frame"


def job(job_id: str) -> str:
    return f"fleet:job:{{{job_id}}}"


def job_request(job_id: str) -> str:
    return f"{job(job_id)}:request"


def job_storage_state(job_id: str) -> str:
    return f"{job(job_id)}:storage_state"


def waiting(queue: str) -> str:
    return f"fleet:waiting:{queue}"


def waiting_high(queue: str) -> str:
    """Since when too many wait in it."""
    return f"{waiting(queue)}:high"


def waiting_look(queue: str) -> str:
    """Somebody has just looked for its lost messages."""
    return f"{waiting(queue)}:look"


def throughput(name: str, bucket: int | str) -> str:
    return f"fleet:throughput:{name}:{bucket}"


def batch(batch_id: str) -> str:
    return f"fleet:batch:{{{batch_id}}}"


def batch_capture(batch_id: str) -> str:
    """What is asked of each page; may hold secrets."""
    return f"{batch(batch_id)}:capture"


def batch_items(batch_id: str) -> str:
    """What was accepted, in compressed pieces."""
    return f"{batch(batch_id)}:items"


def batch_claimed(batch_id: str) -> str:
    """One bit for each item: whether it was begun."""
    return f"{batch(batch_id)}:claimed"


def batch_running(batch_id: str) -> str:
    """By the id of its job, each item in hand."""
    return f"{batch(batch_id)}:running"


def batch_retries(batch_id: str) -> str:
    """Items that wait for another try, by the time of it."""
    return f"{batch(batch_id)}:retries"


def batch_hosts(batch_id: str) -> str:
    """Hosts that are left alone for a while, by its end."""
    return f"{batch(batch_id)}:hosts"


def batch_positions(batch_id: str) -> str:
    """Four bytes for each item: where its outcome is in the list of them, from 1."""
    return f"{batch(batch_id)}:positions"


def batch_outcomes(batch_id: str) -> str:
    return f"{batch(batch_id)}:outcomes"


def artifact(artifact_id: str) -> str:
    return f"fleet:artifact:{artifact_id}"


def webhook(webhook_id: str) -> str:
    return f"fleet:webhook:{{{webhook_id}}}"


def webhooks_of(subject_id: str) -> str:
    return f"{WEBHOOK_INDEX}:of:{subject_id}"


def webhook_expected(subject_id: str) -> str:
    return f"{WEBHOOKS_EXPECTED}:{subject_id}"


def webhooks_due_of(receiver: str) -> str:
    """Webhooks of one receiver, by when they are due."""
    return f"{WEBHOOKS_DUE}:{receiver}"


def webhooks_in_hand(receiver: str) -> str:
    """Those that somebody delivers now, by when they are taken for lost."""
    return f"{webhooks_due_of(receiver)}:hand"


def idempotency(fingerprint: str) -> str:
    return f"fleet:idempotency:{fingerprint}"


def worker(name: str) -> str:
    return f"fleet:worker:{name}"


def worker_messages(name: str) -> str:
    return f"{worker(name)}:messages"


def worker_estate(name: str) -> str:
    return f"{worker(name)}:estate"


def worker_drain(name: str) -> str:
    return f"{worker(name)}:drain"


def worker_cancels(name: str) -> str:
    """The channel of jobs that this worker runs and that are to be cancelled."""
    return f"{JOB_CANCEL_CHANNEL}:{name}"


def session_expiry(database: int, session_id: str) -> str:
    """Where Redis itself tells what becomes of the session's key; the payload is `EXPIRED`, or another word."""
    return f"__keyspace@{database}__:{session(session_id)}"


def session_news(session_id: str) -> str:
    """The channel on which the host that holds the session, and whoever serves its viewers, hear that it was ended or
    that its viewers have changed. One of each session: in a large fleet, most are of no concern to most.
    """
    return f"fleet:events:news:{session_id}"


def session_events(session_id: str) -> str:
    """The channel of what a session reports live."""
    return f"fleet:events:session:{session_id}"


def session_frames(session_id: str) -> str:
    """The channel of the pictures of its page."""
    return f"fleet:events:frames:{session_id}"


def session_asks(session_id: str) -> str:
    """The channel on which viewers reach the host that holds the session."""
    return f"fleet:events:asks:{session_id}"


def wake_up(listener_id: str) -> str:
    """The channel on which a process wakes its own listening thread."""
    return f"fleet:events:wake:{listener_id}"
