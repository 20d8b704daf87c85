"""Entry point of the browser host: `python -m workers.browser_host`.

Started and stopped by the Celery worker's parent (workers/host_process.py).
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
from datetime import datetime
from pathlib import Path
from threading import Thread

from fleet.artifacts.storage import open_storage
from fleet.egress import parse_policy
from fleet.logs import configure_logs, log_lines_of
from fleet.metrics import MetricFiles
from fleet.parent_death import die_with
from fleet.settings import Settings, settings
from fleet.store import open_store
from fleet.webhooks import parse_secrets
from workers.browser_host.chrome import ChromeOptions
from workers.browser_host.chrome_keeper import Upkeep
from workers.browser_host.host import BrowserHost, HostOptions
from workers.metrics import WorkerCounts
from workers.node_folder import metrics_folder, process_record

_STORE_RETRIES = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--parent", required=True, type=int, help="process id; the host ends with it")
    parser.add_argument("--restarts", default=0, type=int, help="how many hosts of this worker were replaced")
    parser.add_argument("--since", required=True, type=datetime.fromisoformat, help="when the worker started")
    given = parser.parse_args()
    die_with(given.parent)
    config = settings()
    configure_logs(config.log_level, config.log_format, worker=given.worker, part="browser_host")
    _log_what_the_driver_writes()
    # One host follows on another, and goes on counting where that stopped.
    counts = WorkerCounts(MetricFiles(metrics_folder(given.socket.parent), lambda: "host"))
    try:
        asyncio.run(_serve(given, config, counts))
    finally:
        # A Chrome that hangs outlives its driver.
        counts.leftovers_killed.inc(process_record(given.socket.parent).end_all())
        if os.getppid() != given.parent:
            # It was killed, so nobody else removes it.
            shutil.rmtree(given.socket.parent, ignore_errors=True)


def _log_what_the_driver_writes() -> None:
    """Playwright gives its driver whatever is standard error here for its own."""
    read, write = os.pipe()
    sys.stderr = os.fdopen(write, "w", encoding="utf-8", errors="replace")
    lines = os.fdopen(read, encoding="utf-8", errors="replace")
    Thread(target=log_lines_of, args=(lines,), kwargs={"program": "playwright"}, daemon=True).start()


async def _serve(given: argparse.Namespace, config: Settings, counts: WorkerCounts) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = HostOptions(
        worker_name=given.worker,
        socket_path=given.socket,
        session_limit=config.sessions_per_worker,
        sweep_seconds=config.sweep_seconds,
        health_seconds=config.health_seconds,
        upkeep=Upkeep(captures=config.chrome_captures, age_seconds=config.chrome_hours * 3600),
        egress=parse_policy(config.egress_allow),
        parent=given.parent,
        restarts=given.restarts,
        started_at=given.since,
        memory_limit_bytes=config.memory_limit_mb * 2**20,
        metrics_bind=config.metrics_bind,
        webhook_secrets=parse_secrets(config.webhook_secrets.get_secret_value()),
    )
    chrome_options = ChromeOptions(
        executable=config.chrome_executable(),
        heap_limit_mb=config.heap_limit_mb,
        # Chrome refuses to run its sandbox as root.
        sandbox=os.geteuid() != 0,
    )
    store = open_store(config, retries=_STORE_RETRIES, on_session_end=counts.session_ended)
    storage = open_storage(config.artifacts_url)
    host = BrowserHost(options, chrome_options, store=store, storage=storage, counts=counts)
    await host.run(until=stop)


if __name__ == "__main__":
    main()
