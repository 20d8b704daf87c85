"""`python -m workers.empty`: asks a worker to drain, and returns when it is empty. For what stops containers.

A worker that only gets SIGTERM has `FLEET_SHUTDOWN_GRACE` for all of it; this gives its jobs longer.
"""

import argparse
import socket
import time

from fleet.errors import StoreUnavailable
from fleet.settings import settings
from fleet.store import Store, open_store

_LOOK_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", default=f"worker@{socket.gethostname()}", help="as in GET /api/workers")
    parser.add_argument("--within", type=float, default=60.0, help="seconds after which it returns anyhow")
    given = parser.parse_args()
    store = open_store(settings(), retries=0)
    try:
        is_empty = empty(store, given.worker, within_seconds=given.within)
    except StoreUnavailable as error:
        # SIGTERM follows, and does what it can.
        raise SystemExit(f"{given.worker} is not asked to drain: {error.message}") from error
    print(f"{given.worker} is {'empty' if is_empty else 'not empty yet'}")  # noqa: T201  # its answer


def empty(store: Store, worker: str, *, within_seconds: float) -> bool:
    """False: it still has sessions or jobs after that time. Raises StoreUnavailable."""
    store.workers.ask_to_drain(worker)
    deadline = time.monotonic() + within_seconds
    while _has_work(store, worker):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _has_work(store: Store, worker: str) -> bool:
    return bool(store.slots.holders(worker) or store.messages.in_hand(worker))


if __name__ == "__main__":
    main()
