"""A real API: gunicorn in a process group of its own, which a test may kill and start again on the same port."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx
from pydantic import SecretStr

from fleet.settings import Settings
from tests.integration.redis_server import free_port
from tests.polling import eventually

_START_SECONDS = 30
_ANSWER_SECONDS = 90


class Api:
    """Answers from `__enter__` to `__exit__`."""

    def __init__(self, settings: Settings, folder: Path, *, host: str = "127.0.0.1") -> None:
        """`folder`: for its log. It gets the settings that differ from the defaults."""
        self.address = f"{host}:{free_port()}"
        given = settings.model_dump(exclude_unset=True) | {"bind": self.address}
        self._environment = {f"FLEET_{name.upper()}": _plain(value) for name, value in given.items()}
        self.url = f"http://{self.address}"
        self._log = folder / "api.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(
            base_url=self.url,
            timeout=_ANSWER_SECONDS,
            # A connection that is kept open would be one to the process that a test has killed.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    @property
    def pid(self) -> int:
        """Of the process that starts the others."""
        assert self._process is not None
        return self._process.pid

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return self._client.post(path, json=body)

    def patch(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return self._client.patch(path, json=body)

    def delete(self, path: str) -> httpx.Response:
        return self._client.delete(path)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gunicorn"),
                    *("--config", "python:app.gunicorn_config", "app.wsgi:application"),
                ],
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self._answers, seconds=_START_SECONDS)

    def kill(self) -> None:
        """All of it at once, without a last word."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return self.get("/healthz").is_success
        except httpx.TransportError:
            return False


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
