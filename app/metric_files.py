"""The files by which the processes of one gunicorn count as one."""

import os
import shutil
import tempfile
from pathlib import Path

from fleet.folder_lock import try_lock
from fleet.metrics import MetricFiles

_PREFIX = "fleet-api-"
# Only with its lock does a folder get the name that others look for.
_DRAFT_PREFIX = f".{_PREFIX}"

_files: MetricFiles | None = None
_place = "master"


def open_metric_files() -> None:
    """In the process that starts the others, before it does. The lock is theirs, too: any of them keeps the files."""
    global _files  # noqa: PLW0603  # gunicorn's hooks carry no object of ours
    base = Path(tempfile.gettempdir())
    _remove_litter(base)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=base))
    # Held until the last of the processes has ended.
    try_lock(draft)
    folder = draft.rename(base / draft.name.removeprefix("."))
    _files = MetricFiles(folder, lambda: _place)


def take_place(number: int) -> None:
    """In a process that was started, before it counts. No two that run have the same number."""
    global _place  # noqa: PLW0603  # as above
    _place = f"worker-{number}"


def metric_files() -> MetricFiles | None:
    """None: this process is the only one."""
    return _files


def remove_metric_files() -> None:
    """When all of them have ended."""
    if _files is not None:
        shutil.rmtree(_files.folder, ignore_errors=True)


def _remove_litter(base: Path) -> None:
    """Of APIs that were killed."""
    for folder in base.glob(f"{_PREFIX}*"):
        lock = try_lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
