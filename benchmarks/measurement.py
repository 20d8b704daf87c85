"""One cell of the table: captures of one page by one contender, so many at once, for so long."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contenders import Capture

_PNG = b"\x89PNG"


@dataclass(frozen=True)
class Measurement:
    """Latencies, and CPU time for each capture, in ms."""

    per_second: float
    p50: float
    p95: float
    cpu: float


async def measure(
    capture: Capture, cpu_seconds: Callable[[], float], url: str, *, concurrency: int, seconds: float
) -> Measurement:
    """`cpu_seconds`: what the contender has used so far.

    Raises whatever a capture raises: a benchmark of failures is worth nothing.
    """
    cpu_before = cpu_seconds()
    started = time.perf_counter()
    latencies: list[float] = []

    async def client() -> None:
        while time.perf_counter() - started < seconds or len(latencies) < concurrency:
            begun = time.perf_counter()
            picture = await capture(url)
            latencies.append((time.perf_counter() - begun) * 1000)
            if not picture.startswith(_PNG):
                raise ValueError(f"not a PNG: {picture[:20]!r}")

    async with asyncio.TaskGroup() as clients:
        for _ in range(concurrency):
            clients.create_task(client())
    elapsed = time.perf_counter() - started
    ranked = sorted(latencies)
    return Measurement(
        per_second=len(latencies) / elapsed,
        p50=statistics.median(ranked),
        p95=ranked[int(0.95 * (len(ranked) - 1))],
        cpu=(cpu_seconds() - cpu_before) / len(latencies) * 1000,
    )
