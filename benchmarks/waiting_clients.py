"""How gunicorn's worker classes bear clients that wait: `python -m benchmarks.waiting_clients gthread gevent`.

Starts the API alone, lets 200 clients wait for a job that nobody runs, and measures what others get meanwhile.
docs/decisions/0004 has the figures. A class other than gthread needs its package installed by hand.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from launcher.fleet import Fleet, FleetOptions, free_port

_WAITING = 200
_WAIT_SECONDS = 120
_HEALTH_CHECKS = 200
_SUBMISSIONS = 300
_SUBMITTERS = 16
_COLUMNS = (
    "class",
    "idle PSS MB",
    "PSS MB, 200 waiting",
    "/healthz p50 ms",
    "p99 ms",
    "submissions/s beside them",
    "lost waits",
)


def main() -> None:
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for worker_class in sys.argv[1:] or ["gthread"]:
        os.environ["GUNICORN_CMD_ARGS"] = f"--worker-class {worker_class}"
        with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder, Fleet(_api_alone(Path(folder))) as fleet:
            figures = asyncio.run(_measure(fleet))
        print(f"| {worker_class} | {' | '.join(figures)} |", flush=True)


def _api_alone(folder: Path) -> FleetOptions:
    return FleetOptions(
        data=folder,
        bind=f"127.0.0.1:{free_port()}",
        workers=0,
        concurrency=1,
        flower=False,
        logs=folder / "logs",
        environment={},
        ready_path="/healthz",
    )


async def _measure(fleet: Fleet) -> list[str]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=fleet.url, timeout=150, limits=limits) as client:
        idle = _api_megabytes(fleet)
        job = (await _submit(client))["job"]["id"]
        waiting = [
            asyncio.create_task(client.get(f"/api/jobs/{job}", params={"wait": _WAIT_SECONDS})) for _ in range(_WAITING)
        ]
        await asyncio.sleep(3)  # until all of them have been taken up
        latencies = sorted([await _health(client) for _ in range(_HEALTH_CHECKS)])
        busy = _api_megabytes(fleet)
        rate = await _submission_rate(client)
        gone = [task.result().status_code for task in waiting if task.done()]
        await client.delete(f"/api/jobs/{job}")
        await asyncio.gather(*waiting)
    p50, p99 = statistics.median(latencies), latencies[int(0.99 * len(latencies))]
    return [f"{idle:.0f}", f"{busy:.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{rate:.0f}", str(gone or "none")]


async def _submit(client: httpx.AsyncClient) -> dict[str, dict[str, str]]:
    answer = await client.post("/api/captures", json={"url": "http://127.0.0.1:9/"})
    answer.raise_for_status()
    body: dict[str, dict[str, str]] = answer.json()
    return body


async def _health(client: httpx.AsyncClient) -> float:
    begun = time.perf_counter()
    (await client.get("/healthz")).raise_for_status()
    return (time.perf_counter() - begun) * 1000


async def _submission_rate(client: httpx.AsyncClient) -> float:
    begun = time.perf_counter()

    async def submitter() -> None:
        for _ in range(_SUBMISSIONS // _SUBMITTERS):
            await _submit(client)

    await asyncio.gather(*(submitter() for _ in range(_SUBMITTERS)))
    return _SUBMISSIONS // _SUBMITTERS * _SUBMITTERS / (time.perf_counter() - begun)


def _api_megabytes(fleet: Fleet) -> float:
    parent = psutil.Process(fleet.pids[-1])
    return float(sum(p.memory_full_info().pss for p in (parent, *parent.children(recursive=True)))) / 1e6


if __name__ == "__main__":
    main()
