"""The files by which the processes of one gunicorn count as one."""

import shutil
import tempfile
from pathlib import Path

from fleet.metrics import MetricFiles

_files: MetricFiles | None = None
_place = "master"


def open_metric_files() -> None:
    """In the process that starts the others, before it does."""
    global _files  # noqa: PLW0603  # gunicorn's hooks carry no object of ours
    _files = MetricFiles(Path(tempfile.mkdtemp(prefix="fleet-api-")), lambda: _place)


def take_place(number: int) -> None:
    """In a process that was started, before it counts. No two that run have the same number."""
    global _place  # noqa: PLW0603  # as above
    _place = f"worker-{number}"


def metric_files() -> MetricFiles | None:
    """None: this process is the only one."""
    return _files


def remove_metric_files() -> None:
    """May be called twice."""
    if _files is not None:
        shutil.rmtree(_files.folder, ignore_errors=True)
