"""The temporary folder of one worker: its socket, and all that it, its browser host and Chrome write there.

Whoever holds its lock lives. A folder without a holder is litter of a worker that was killed, and is removed by the
next one that starts, with the processes that outlived it.
"""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import structlog

from fleet.folder_lock import try_lock
from workers.process_record import ProcessRecord

_log = structlog.get_logger(__name__)

_PREFIX = "fleet-host-"
_DRAFT_PREFIX = ".fleet-host-"
_RECORD = "processes"
_METRICS = "metrics"
# Processes that were killed just now write for a moment more.
_REMOVALS_MAX = 20
_REMOVALS_APART_SECONDS = 0.1


class NodeFolder:
    def __init__(self, base: Path | None = None) -> None:
        """Below `base`; None: below the system's folder for temporary files."""
        base = base or Path(tempfile.gettempdir())
        # Processes that were killed, of workers before this one.
        self.litter = _remove_litter(base)
        draft = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=base))
        lock = try_lock(draft)
        assert lock is not None  # noqa: S101  # its name is known to nobody else
        self._lock = lock
        process_record(draft).clear()
        # Pool children are forked from the holder and would hold it beyond the holder's death.
        os.register_at_fork(after_in_child=self._let_go)
        # Only now under the name that others look for.
        self.path = draft.rename(base / (_PREFIX + draft.name.removeprefix(_DRAFT_PREFIX)))

    def end_left_processes(self) -> int:
        """Kills what the browser host has started and left behind; it must have ended itself. How many there were."""
        return process_record(self.path).end_all()

    def remove(self) -> None:
        """With all processes that are left of the browser host. May be called twice."""
        self.end_left_processes()
        _remove(self.path)
        self._let_go()

    def _let_go(self) -> None:
        with suppress(OSError):
            os.close(self._lock)
        self._lock = -1


def process_record(folder: Path) -> ProcessRecord:
    """Kept by the browser host, of itself and its descendants."""
    return ProcessRecord(folder / _RECORD)


def metrics_folder(folder: Path) -> Path:
    """Where all processes of the worker count."""
    return folder / _METRICS


def _remove(folder: Path) -> None:
    for _ in range(_REMOVALS_MAX):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_REMOVALS_APART_SECONDS)
    # Its record went first, and without one nobody would remove the rest.
    process_record(folder).clear()
    _log.warning("folder not removed", folder=folder.name)


def _remove_litter(base: Path) -> int:
    """How many processes it has killed."""
    killed = 0
    for folder in base.glob(f"{_PREFIX}*"):
        # Without a record it is not of a worker that holds a lock: nobody knows whether that one lives.
        lock = try_lock(folder) if process_record(folder).is_there else None
        if lock is None:
            continue
        _log.warning("folder of a worker that was killed removed", folder=folder.name)
        killed += process_record(folder).end_all()
        _remove(folder)
        os.close(lock)
    return killed
