"""A real Prometheus of the test's own: on a free port, its data in a temporary folder, with the shipped rules."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tests.deployed import ALERTS
from tests.integration.conftest import missing
from tests.integration.redis_server import free_port
from tests.polling import eventually

_START_SECONDS = 60
_STOP_SECONDS = 20


class PrometheusServer:
    """Runs from `__enter__` to `__exit__`."""

    def __init__(self, folder: Path, targets: dict[str, str]) -> None:
        """`targets`: the address of each job that it scrapes, every second."""
        executable = shutil.which("prometheus")
        if executable is None:
            missing("prometheus")
        self._executable = str(executable)
        self._folder = folder
        self._address = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "alerts.yml").write_text(_in_a_hurry(ALERTS.read_text()))
        configuration = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [address]}]} for job, address in targets.items()
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))

    def __enter__(self) -> Self:
        log = self._folder / "prometheus.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    self._executable,
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={self._address}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            eventually(self._is_ready, seconds=_START_SECONDS)
        except AssertionError:
            self.__exit__()
            raise AssertionError(log.read_text()) from None
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def firing(self) -> dict[str, dict[str, str]]:
        """The labels of each alert that is not only pending, by its name."""
        alerts = self._get("alerts")["alerts"]
        return {alert["labels"]["alertname"]: alert["labels"] for alert in alerts if alert["state"] == "firing"}

    def health(self) -> dict[str, str]:
        """Whether the last scrape of each job has worked."""
        return {target["labels"]["job"]: target["health"] for target in self._get("targets")["activeTargets"]}

    def value(self, query: str) -> float | None:
        found = self._get("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None

    def _get(self, path: str, **query: str) -> Any:
        answer = httpx.get(f"http://{self._address}/api/v1/{path}", params=query, timeout=30).raise_for_status()
        return answer.json()["data"]

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "it ended"
        try:
            return httpx.get(f"http://{self._address}/-/ready", timeout=5).is_success
        except httpx.TransportError:
            return False


def _in_a_hurry(rules: str) -> str:
    """The shipped rules, but that nobody waits: neither for an alert to be sure nor for one to be forgotten."""
    return re.sub(r"for: \d+s", "for: 1s", rules).replace("[1m]", "[20s]")
