"""Prometheus' own checks, by Prometheus' own tool."""

import shutil
import subprocess
from pathlib import Path

from tests.integration.conftest import missing


def promtool(*arguments: str | Path, stdin: str | None = None) -> str:
    """Its output. Raises AssertionError with it if it finds a fault."""
    executable = shutil.which("promtool")
    if executable is None:
        missing("promtool (Debian's package prometheus)")
    done = subprocess.run(
        [str(executable), *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
