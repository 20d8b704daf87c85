"""The `fleet` command, installed as users install it, away from the checkout."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.processes import ROOT
from tests.system.terminal import Terminal

_INSTALL_SECONDS = 120
# What a command may take here at most, with a machine that is busy.
_COMMAND_SECONDS = 180


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


class FleetCommand:
    def __init__(self, installed: Path, folder: Path, url: str) -> None:
        """`folder`: where it is run."""
        self.folder = folder
        self._script = str(installed / "bin" / "fleet")
        self.environment = {
            "PYTHONPATH": str(installed),
            "PATH": f"{installed / 'bin'}:{os.environ['PATH']}",
            "FLEET_URL": url,
        }

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        return self._ended([self._script, *arguments], {**self.environment, **environment}, stdin)

    def run_in_shell(self, line: str) -> Ended:
        return self._ended(["bash", "-c", line], self.environment)

    def run_in_checkout(self, *arguments: str, **environment: str) -> Ended:
        """As `make` targets run it, beside the server's own modules."""
        line = [sys.executable, "-m", "fleet_client", *arguments]
        return self._ended(line, {"FLEET_URL": self.environment["FLEET_URL"], **environment}, cwd=ROOT)

    def in_terminal(self, *arguments: str) -> Terminal:
        return Terminal([self._script, *arguments], self.environment, cwd=self.folder)

    def shell_in_terminal(self, line: str) -> Terminal:
        return Terminal(["bash", "-c", line], self.environment, cwd=self.folder)

    def _ended(
        self, line: list[str], environment: Mapping[str, str], stdin: str = "", cwd: Path | None = None
    ) -> Ended:
        ended = subprocess.run(
            line,
            cwd=cwd or self.folder,
            env={**os.environ, **environment},
            input=stdin.encode(),
            capture_output=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr.decode())


def install(folder: Path) -> Path:
    """What `pip install` of the repository installs, without what it depends on: that is in this environment."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-build-isolation", "--target", str(folder), str(ROOT)],
        timeout=_INSTALL_SECONDS,
        check=True,
    )
    return folder
