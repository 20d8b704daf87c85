"""Artifacts in a local folder, in one sub-folder for each hour in which they expire.

So the sweep removes whole sub-folders by their names and never lists what is in the others. A file is named after
its SHA-256; bytes that are there for an earlier hour get a second name (a hard link), not a second copy.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from fleet.artifacts import hours
from fleet.artifacts.failure import storage_failed

# Files that are being written. One that is older than any write takes was left by a process that died.
_PARTS = ".parts"
_PART_SECONDS = 3600
# How far back bytes are looked for: what is captured daily is found again. Each hour costs a look at a name.
_SHARED_HOURS = 48
# More than a file system keeps beside a name.
_PROBE = bytes(64 * 1024)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_failed(error.strerror or type(error).__name__) from error


class LocalFolder:
    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._parts = self._root / _PARTS

    def put(self, content: bytes, *, sha256: str, media_type: str, expires_at: datetime) -> str:  # noqa: ARG002  # S3's
        location = hours.location(sha256, expires_at)
        target = self._root / location
        with _translated_errors():
            if not _holds(target, content):
                target.parent.mkdir(parents=True, exist_ok=True)
                if not self._share(target, content, expires_at):
                    self._write_whole(target, content)
        return location

    def _share(self, target: Path, content: bytes, expires_at: datetime) -> bool:
        """Whether the bytes were there for another hour, and now are for this one too."""
        for earlier in range(1, _SHARED_HOURS + 1):
            stored = self._root / hours.location(target.name, expires_at - timedelta(hours=earlier))
            if _holds(stored, content):
                try:
                    os.link(stored, target)
                except OSError:
                    # It was swept at this moment, or the file system has no hard links: a copy does as well.
                    return target.is_file()
                return True
        return False

    def _write_whole(self, target: Path, content: bytes) -> None:
        self._parts.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self._parts)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                # Before it has its name: a machine that loses power must not keep a name without its bytes.
                os.fdatasync(file.fileno())
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    def open(self, location: str) -> BinaryIO | None:
        path = (self._root / location).resolve()
        if not path.is_relative_to(self._root):
            return None
        with _translated_errors():
            try:
                return path.open("rb")
            except FileNotFoundError:
                return None

    def link(self, location: str, *, valid_for: timedelta) -> str | None:  # noqa: ARG002  # the API alone serves files
        return None

    def sweep(self, now: datetime) -> int:
        with _translated_errors():
            if not self._root.is_dir():
                return 0
            for folder in self._root.iterdir():
                if hours.has_passed(folder.name, now) and folder.is_dir():
                    return _remove(folder)
            return self._remove_old_parts()

    def _remove_old_parts(self) -> int:
        if not self._parts.is_dir():
            return 0
        before = time.time() - _PART_SECONDS
        old = [part for part in self._parts.iterdir() if part.stat().st_mtime < before]
        for part in old:
            part.unlink(missing_ok=True)
        return len(old)

    def check(self) -> None:
        with _translated_errors():
            probe = self._parts / f"probe-{os.getpid()}"
            try:
                self._write_whole(probe, _PROBE)
            finally:
                probe.unlink(missing_ok=True)


def _holds(path: Path, content: bytes) -> bool:
    """Whether the file is there, whole: its name says what is in it, were it not for a disk that lost something."""
    try:
        return path.stat().st_size == len(content)
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> int:
    """How many entries went, itself included."""
    entries = sum(1 for _ in folder.iterdir())
    shutil.rmtree(folder)
    return entries + 1
