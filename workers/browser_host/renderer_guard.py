"""Ends renderer processes that take more memory than a page may: what no heap shows is bounded here.

Array buffers made in a loop that never ends, workers, canvases and pictures: only the kernel sees them all.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

# A page takes up to a gigabyte in that time; a look at ten renderers costs the host a few milliseconds.
_LOOK_SECONDS = 0.5
_PROC = Path("/proc")
# Its own memory; the program that all processes of Chrome share is not counted.
_COUNTED = (b"RssAnon:", b"RssShmem:")


class RendererGuard:
    def __init__(self, limit_bytes: int, *, on_killed: Callable[[], None]) -> None:
        self._limit_bytes = limit_bytes
        self._on_killed = on_killed
        self._chrome: int | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self, chrome: int) -> None:
        """`chrome`: process id of the Chrome whose renderers it ends, and no other's: two run while one is replaced."""
        self._chrome = chrome
        self._watching = asyncio.create_task(self._watch(chrome))

    def stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self, chrome: int) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for pid in _renderers_under(chrome):
                self._check(pid, self._limit_bytes)

    def end_largest(self, *, beyond_bytes: int) -> bool:
        """Kills the renderer that takes most, if that is more than `beyond_bytes`. False: there is none."""
        if self._chrome is None:
            return False
        largest = max(_renderers_under(self._chrome), key=_memory_bytes, default=None)
        return largest is not None and self._check(largest, beyond_bytes)

    def _check(self, pid: int, limit_bytes: int) -> bool:
        taken = _memory_bytes(pid)
        if taken <= limit_bytes:
            return False
        _log.warning("renderer killed for its memory", pid=pid, megabytes=taken // 1024**2)
        self._on_killed()
        _kill(pid)
        return True


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _renderers_under(pid: int) -> Iterator[int]:
    for child in _children(pid):
        if b"--type=renderer" in _read(child, "cmdline"):
            yield child
        else:
            yield from _renderers_under(child)


def _children(pid: int) -> list[int]:
    try:
        tasks = list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return []
    return [int(child) for task in tasks for child in _read(pid, f"task/{task.name}/children").split()]


def _memory_bytes(pid: int) -> int:
    lines = [line.split() for line in _read(pid, "status").splitlines()]
    return sum(int(line[1]) * 1024 for line in lines if line and line[0] in _COUNTED)


def _read(pid: int, name: str) -> bytes:
    """Empty once it has ended."""
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
