"""The fleet of docker-compose.yml under a project name of the test's own, as its users start it."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
SITE = "http://site:9000"
_OVERRIDE = "tests/containers/override.yml"
_BUILD_SECONDS = 900
_COMMAND_SECONDS = 240


class Stack:
    def __init__(self, folder: Path) -> None:
        self._env_file = folder / "env"
        self._project = f"capture-fleet-test-{os.getpid()}"
        # Whatever of it is free; other fleets of this machine keep theirs.
        places = ("API_PUBLISH", "FLOWER_PUBLISH", "PROMETHEUS_PUBLISH")
        # Of workers' /tmp; those of containers that are scaled away stay behind.
        self._volumes: set[str] = set()
        self._environment = {**os.environ, **dict.fromkeys(places, "127.0.0.1:0"), "FLEET_VERSION": "test"}
        self._run([str(ROOT / "scripts" / "new_env"), str(self._env_file)])

    def secret(self, name: str) -> str:
        (value,) = re.findall(rf"^{name}=(.+)$", self._env_file.read_text(), re.MULTILINE)
        return str(value)

    @property
    def key(self) -> str:
        """That of the administrator."""
        return self.secret("FLEET_API_KEYS").split(",")[0].split(":")[1]

    def build(self) -> None:
        self.compose("build", "--quiet", "api", "worker", seconds=_BUILD_SECONDS)

    def up(self, *services: str, workers: int) -> None:
        """Returns when all of them are healthy."""
        self.compose("up", "--detach", "--wait", "--no-build", "--scale", f"worker={workers}", *services)

    def scale(self, workers: int) -> None:
        """What runs stays as it is, but for workers that are too many or too few."""
        self._note_volumes()
        self.compose(
            "up", "--detach", "--wait", "--no-build", "--no-recreate", "--scale", f"worker={workers}", "worker"
        )

    def down(self) -> None:
        self._note_volumes()
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")
        self.docker("volume", "rm", "--force", *self._volumes)

    def _note_volumes(self) -> None:
        for container in self.compose("ps", "--all", "--quiet", "--no-trunc", "worker").split():
            mounts = self.inspect(container)["Mounts"]
            self._volumes |= {mount["Name"] for mount in mounts if mount["Destination"] == "/tmp"}

    def address(self, service: str, port: int) -> str:
        return f"http://{self.compose('port', service, str(port)).strip()}"

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.address("api", 8080), headers=headers, timeout=120)

    def containers(self, service: str) -> list[str]:
        """Ids of those that run."""
        return self.compose("ps", "--quiet", "--no-trunc", service).split()

    def container_of(self, worker: str) -> str:
        """The id of the container of the worker with this name."""
        host = worker.partition("@")[2]
        (found,) = [one for one in self.containers("worker") if one.startswith(host)]
        return found

    def inside(self, container: str, *command: str, stdin: str | None = None) -> str:
        return self.docker("exec", "--interactive", container, *command, stdin=stdin)

    def inspect(self, container: str) -> dict[str, Any]:
        (found,) = json.loads(self.docker("inspect", container))
        return dict(found)

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail", "60")

    def compose(self, *arguments: str, seconds: float = _COMMAND_SECONDS) -> str:
        files = ("--file", "docker-compose.yml", "--file", _OVERRIDE, "--env-file", str(self._env_file))
        return self.docker("compose", "--project-name", self._project, *files, *arguments, seconds=seconds)

    def docker(self, *arguments: str, stdin: str | None = None, seconds: float = _COMMAND_SECONDS) -> str:
        """Its output. Raises AssertionError with all that it said if it fails."""
        return self._run(["docker", *arguments], stdin=stdin, seconds=seconds)

    def _run(self, command: list[str], *, stdin: str | None = None, seconds: float = _COMMAND_SECONDS) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout
