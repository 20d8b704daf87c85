"""What many viewers cost: `make viewers`, or `python -m benchmarks.viewers` (VIEWERS=100 SESSIONS=10 SECONDS=75).

Of the viewers one in five reads slowly, and one in five vanishes without a close: its process is stopped, so that its
sockets stay open and nobody reads them. Exits with 1 if a promise is broken. docs/decisions/0015 has the figures.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.cpu import cpu_seconds
from fleet.settings import Settings
from fleet.store import open_store
from launcher.fleet import Fleet, FleetOptions, free_port

# What the page changes by itself, and no faster than the viewers want it.
_FRAMES_PER_SECOND = 2
_PAGE = b"""<!doctype html><title>Clock</title><h1 id=now></h1>
<script>setInterval(() => now.textContent = Date.now(), 500)</script>"""
_QUERY = "frames=1&quality=60&max_fps=5&max_width=800"
_SLOW_READ_SECONDS = 3.0
# Gone from the count within a minute.
_GONE_SECONDS = 60
_CPU_SECONDS = 10.0
# Of what the best served of them gets: how much the machine paints is not the viewers' matter.
_RATE_SHARE = 0.7
_RATE_LEAST = 0.2
_GROWTH_MB = 5
_CPU_MARGIN = 0.1
_SETTLE_SECONDS = 15.0


@dataclass
class Viewer:
    """One that reads. `slow`: with a pause after each message."""

    url: str
    slow: bool
    frames: int = 0
    ended: str = ""

    async def watch(self) -> None:
        # A queue would read on for it while it pauses.
        async with connect(self.url, max_queue=1, open_timeout=60) as socket:
            try:
                await self._read(socket)
            except ConnectionClosed as closed:
                self.ended = str(closed)

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            self.frames += isinstance(message, bytes)
            if self.slow:
                await asyncio.sleep(_SLOW_READ_SECONDS)


@dataclass
class Memory:
    """Of the API, in MB, while viewers watch."""

    samples: list[float] = field(default_factory=list)

    async def sample(self, api: psutil.Process) -> None:
        while True:
            self.samples.append(_pss(api))
            await asyncio.sleep(1)


@dataclass(frozen=True)
class Found:
    seconds: float
    viewers: list[Viewer]
    memory: list[float]
    gone_after: float | None
    count_with: int
    count_after: int
    cpu_before: float
    cpu_after: float

    @property
    def rates(self) -> list[float]:
        return [viewer.frames / self.seconds for viewer in self.viewers if not viewer.slow]

    def broken(self) -> list[str]:
        """The promises that were not kept."""
        # The first seconds are those in which everybody comes.
        settled = self.memory[len(self.memory) // 4 :]
        kept = {
            "nobody who reads misses frames for those who do not": min(self.rates) >= _RATE_SHARE * max(self.rates),
            "frames flow": min(self.rates) >= _RATE_LEAST * _FRAMES_PER_SECOND,
            "nobody who reads is turned away": not any(viewer.ended for viewer in self.viewers),
            "who vanished is not counted after a minute": self.gone_after is not None,
            "those who watch are counted": self.count_with == len(self.viewers),
            "nobody is counted in the end": self.count_after == 0,
            "the API's memory is flat": settled[-1] - settled[0] < _GROWTH_MB,
            "an unwatched session costs what it did": self.cpu_after < self.cpu_before + _CPU_MARGIN,
        }
        return [promise for promise, is_kept in kept.items() if not is_kept]

    def text(self) -> str:
        slow = [viewer.frames / self.seconds for viewer in self.viewers if viewer.slow]
        gone = "still counted" if self.gone_after is None else f"gone after {self.gone_after:.0f} s"
        return "\n".join(
            (
                (
                    f"API memory, PSS MB: {self.memory[0]:.1f} at the start, {max(self.memory):.1f} at the peak, "
                    f"{self.memory[-1]:.1f} at the end"
                ),
                (
                    f"frames per second, of {_FRAMES_PER_SECOND}: {min(self.rates):.2f} at least, "
                    f"{statistics.median(self.rates):.2f} in the middle; slow readers {statistics.median(slow):.2f}"
                ),
                f"vanished viewers: {gone}",
                f"counted: {self.count_with} with {len(self.viewers)} that read; {self.count_after} in the end",
                (
                    f"CPU of the worker, cores, with nobody watching: {self.cpu_before:.3f} before, "
                    f"{self.cpu_after:.3f} after"
                ),
            )
        )


def main() -> int:
    if sys.argv[1:2] == ["--vanish"]:
        asyncio.run(_vanish(sys.argv[2:]))
    viewers, sessions, seconds = (
        int(os.environ.get(name, default)) for name, default in (("VIEWERS", 100), ("SESSIONS", 10), ("SECONDS", 75))
    )
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder, Fleet(_options(Path(folder))) as fleet:
        found = asyncio.run(_measure(fleet, _serve_page(), viewers=viewers, sessions=sessions, seconds=seconds))
    print(f"{viewers} viewers on {sessions} sessions for {seconds} s\n{found.text()}")
    for promise in (broken := found.broken()):
        print(f"NOT KEPT: {promise}")
    return 1 if broken else 0


def _options(folder: Path) -> FleetOptions:
    return FleetOptions(
        data=folder,
        bind=f"127.0.0.1:{free_port()}",
        workers=1,
        concurrency=2,
        flower=False,
        logs=folder / "logs",
        environment={
            "FLEET_EGRESS_ALLOW": "127.0.0.1",
            "FLEET_SESSION_RATE": "1000/minute",
            "FLEET_SESSIONS_PER_WORKER": "20",
            "FLEET_MEMORY_LIMIT_MB": "8192",
        },
    )


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # http.server's name
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, *_: object) -> None:
        """Silent."""


def _serve_page() -> str:
    """Its URL, for as long as this process lives."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


async def _measure(fleet: Fleet, page: str, *, viewers: int, sessions: int, seconds: int) -> Found:
    worker, api = (psutil.Process(pid) for pid in fleet.pids[-2:])
    store = open_store(Settings(redis_url=fleet.redis_url), retries=1)
    async with httpx.AsyncClient(base_url=fleet.url, timeout=120) as client:
        ids = [await _session(client, page) for _ in range(sessions)]
    # Until what the creations have left to do is done.
    await asyncio.sleep(_SETTLE_SECONDS)
    before = await _cpu_share(worker)
    base = fleet.url.replace("http", "ws", 1)
    urls = [f"{base}/api/sessions/{ids[number % sessions]}/stream?{_QUERY}" for number in range(viewers)]
    fifth = viewers // 5
    watching = [Viewer(url, slow=number < fifth) for number, url in enumerate(urls[fifth:])]
    memory = Memory()
    sampling = asyncio.create_task(memory.sample(api))
    tasks = [asyncio.create_task(viewer.watch()) for viewer in watching]
    vanishing = await _start_vanishing(urls[:fifth])
    started = time.monotonic()
    await _until(lambda: store.viewers.count() == viewers, seconds=60)
    vanishing.send_signal(signal.SIGSTOP)
    gone_after = await _until(lambda: store.viewers.count() <= len(watching), seconds=_GONE_SECONDS)
    await asyncio.sleep(started + seconds - time.monotonic())
    count_with, took = store.viewers.count(), time.monotonic() - started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await _until(lambda: store.viewers.count() == 0, seconds=10)
    sampling.cancel()
    vanishing.kill()
    vanishing.wait()
    await asyncio.sleep(_SETTLE_SECONDS)
    after = await _cpu_share(worker)
    return Found(
        took,
        watching,
        memory.samples,
        gone_after,
        count_with,
        store.viewers.count(),
        cpu_before=before,
        cpu_after=after,
    )


async def _session(client: httpx.AsyncClient, page: str) -> str:
    answer = await client.post("/api/sessions", params={"wait": 60}, json={"url": page})
    answer.raise_for_status()
    session_id: str = answer.json()["session"]["id"]
    return session_id


async def _start_vanishing(urls: list[str]) -> subprocess.Popen[bytes]:
    """A process of its own, whose viewers stop reading when it is stopped."""
    return await asyncio.to_thread(subprocess.Popen, [sys.executable, "-m", "benchmarks.viewers", "--vanish", *urls])


async def _vanish(urls: list[str]) -> None:
    await asyncio.gather(*(Viewer(url, slow=False).watch() for url in urls))


async def _until(condition: Callable[[], bool], *, seconds: float) -> float | None:
    """After how many seconds it came true; None: not within that time."""
    started = time.monotonic()
    while not await asyncio.to_thread(condition):
        if time.monotonic() - started > seconds:
            return None
        await asyncio.sleep(0.2)
    return time.monotonic() - started


async def _cpu_share(worker: psutil.Process) -> float:
    """Of the whole worker, in cores."""
    before = cpu_seconds(worker)
    await asyncio.sleep(_CPU_SECONDS)
    return (cpu_seconds(worker) - before) / _CPU_SECONDS


def _pss(api: psutil.Process) -> float:
    return float(sum(one.memory_full_info().pss for one in (api, *api.children(recursive=True)))) / 2**20


if __name__ == "__main__":
    sys.exit(main())
