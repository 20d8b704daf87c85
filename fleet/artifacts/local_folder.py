"""Artifacts in a local folder, in one sub-folder for each hour in which they expire.

So the sweep removes whole sub-folders by their names and never lists what is in the others.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from fleet.errors import StorageUnavailable

_HOUR = "%Y-%m-%dT%H"


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"The artifact storage failed ({error.strerror}). Try again later."
        raise StorageUnavailable(message, retry_after=10) from error


class LocalFolder:
    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def put(self, artifact_id: str, content: bytes, *, expires_at: datetime) -> str:
        location = f"{expires_at.astimezone(UTC).strftime(_HOUR)}/{artifact_id}"
        target = self._root / location
        with _translated_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            self._write_whole(target, content)
        return location

    @staticmethod
    def _write_whole(target: Path, content: bytes) -> None:
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    def open(self, location: str) -> BinaryIO | None:
        path = (self._root / location).resolve()
        if not path.is_relative_to(self._root):
            return None
        try:
            return path.open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            message = f"The artifact storage failed ({error.strerror}). Try again later."
            raise StorageUnavailable(message, retry_after=10) from error

    def sweep(self, now: datetime) -> int:
        with _translated_errors():
            if not self._root.is_dir():
                return 0
            expired = [folder for folder in self._root.iterdir() if _has_expired(folder.name, now)]
            for folder in expired:
                shutil.rmtree(folder, ignore_errors=True)
        return len(expired)


def _has_expired(folder_name: str, now: datetime) -> bool:
    """Whether the folder is one of ours and its whole hour has passed."""
    try:
        hour = datetime.strptime(folder_name, _HOUR).replace(tzinfo=UTC)
    except ValueError:
        return False
    return hour.strftime(_HOUR) == folder_name and hour + timedelta(hours=1) <= now
