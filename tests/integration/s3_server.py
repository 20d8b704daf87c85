"""A real S3 API of the test's own: moto's server in a process, on a free port. What it holds goes when it stops."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.integration.redis_server import free_port
from tests.polling import eventually

BUCKET = "artifacts"
SECRET_KEY = "a-secret-that-nobody-may-see"
_START_SECONDS = 60
_STOP_SECONDS = 10
_COLOUR = re.compile("\x1b\\[[0-9]*m")


class S3Server:
    def __init__(self, folder: Path) -> None:
        """`folder`: for its log, one line for each request."""
        self._port = free_port()
        self._log = folder / "s3.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    @property
    def requests(self) -> list[str]:
        """Method and path of each request so far."""
        lines = _COLOUR.sub("", self._log.read_text()).splitlines()
        return [line.split('"')[1].rpartition(" ")[0] for line in lines if "HTTP/1.1" in line]

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self._port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(self._has_bucket, seconds=_START_SECONDS)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(_STOP_SECONDS)

    def objects(self) -> list[str]:
        """The names of all that it holds."""
        listing = httpx.get(f"{self.endpoint}/{BUCKET}?list-type=2", trust_env=False).text
        return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]

    def _has_bucket(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return httpx.put(f"{self.endpoint}/{BUCKET}", trust_env=False).is_success
        except httpx.TransportError:
            return False
