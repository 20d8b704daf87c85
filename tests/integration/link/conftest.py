"""A server of the link in a thread of its own, as the asking side is synchronous."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from workers.link.client import HostClient
from workers.link.server import Command, HostServer

_STEP_SECONDS = 10


class ServerThread:
    """Serves `commands` at `path` from `__enter__` to `__exit__`; may be stopped before."""

    def __init__(self, path: Path, commands: dict[str, Command]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server = HostServer(path, commands)
        self.client = HostClient(path)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(_STEP_SECONDS)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(_STEP_SECONDS)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


Serve = Callable[..., ServerThread]


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "host.sock"


@pytest.fixture
def serve(socket_path: Path) -> Iterator[Serve]:
    """Starts a server of the given commands, by name."""
    with ExitStack() as running:
        yield lambda **commands: running.enter_context(ServerThread(socket_path, commands))
