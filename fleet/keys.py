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
    CatalogueEntry("fleet:session:{id}:options", "string", "as the session, + 1 h", "store.sessions", "worker"),
    CatalogueEntry("fleet:session:{id}:scripts", "list", "as the session", "store.scripts", "API, worker"),
    CatalogueEntry("fleet:session:{id}:jobs", "list", "as the session, + 1 h", "store.session_jobs", "worker"),
    CatalogueEntry("fleet:session:{id}:lock", "string", "a job's hard time limit", "store.session_jobs", "worker"),
    CatalogueEntry("fleet:session:{id}:grave", "hash", "the session's end + 1 h", "store.sessions", "API"),
    CatalogueEntry("fleet:sessions", "zset", "8 days, renewed", "store.sessions", "API"),
    CatalogueEntry("fleet:job:{id}", "hash", "FLEET_JOB_TTL", "store.jobs", "API, worker"),
    CatalogueEntry("fleet:job:{id}:request", "string", "FLEET_JOB_TTL", "store.jobs", "worker"),
    CatalogueEntry("fleet:jobs", "zset", "8 days, renewed", "store.jobs", "API"),
    CatalogueEntry("fleet:waiting:QUEUE", "zset", "8 days, renewed", "store.waiting", "API"),
    CatalogueEntry("fleet:artifact:ID", "string", "FLEET_ARTIFACT_TTL", "store.artifacts", "API"),
    CatalogueEntry("fleet:idempotency:HASH", "string", "24 h", "store.idempotency", "API"),
    CatalogueEntry("fleet:worker:NAME", "string", "15 s, renewed", "store.workers", "API"),
    CatalogueEntry("fleet:workers", "zset", "8 days, renewed", "store.workers", "API"),
)

# Pub/sub channels hold nothing. Payload: a job id.
JOB_ENDED_CHANNEL: Final = "fleet:events:job-ended"
JOB_CANCEL_CHANNEL: Final = "fleet:events:job-cancel"

SESSION_INDEX: Final = "fleet:sessions"
JOB_INDEX: Final = "fleet:jobs"
WORKER_INDEX: Final = "fleet:workers"


def session(session_id: str) -> str:
    return f"fleet:session:{{{session_id}}}"


def session_options(session_id: str) -> str:
    return f"{session(session_id)}:options"


def session_scripts(session_id: str) -> str:
    return f"{session(session_id)}:scripts"


def session_jobs(session_id: str) -> str:
    return f"{session(session_id)}:jobs"


def session_lock(session_id: str) -> str:
    return f"{session(session_id)}:lock"


def session_grave(session_id: str) -> str:
    return f"{session(session_id)}:grave"


def job(job_id: str) -> str:
    return f"fleet:job:{{{job_id}}}"


def job_request(job_id: str) -> str:
    return f"{job(job_id)}:request"


def waiting(queue: str) -> str:
    return f"fleet:waiting:{queue}"


def artifact(artifact_id: str) -> str:
    return f"fleet:artifact:{artifact_id}"


def idempotency(fingerprint: str) -> str:
    return f"fleet:idempotency:{fingerprint}"


def worker(name: str) -> str:
    return f"fleet:worker:{name}"
