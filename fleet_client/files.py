"""Where downloads go: into memory or a file, and only whole."""

import hashlib
import secrets
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from fleet_client.errors import DamagedDownload


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class MemorySink:
    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def content(self, sha256: str) -> bytes:
        """Raises DamagedDownload."""
        content = b"".join(self._pieces)
        check_sha256(hashlib.sha256(content).hexdigest(), sha256)
        return content


class FileSink:
    """Writes beside `path` and takes its name when all is there; what was there before stays until then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sha256: _Hash = hashlib.sha256()

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._part = self._path.with_name(f".{self._path.name[:64]}.{secrets.token_hex(4)}.part")
        self._file = self._part.open("xb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._sha256 = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._sha256.update(piece)

    def check(self, sha256: str) -> None:
        """Raises DamagedDownload."""
        check_sha256(self._sha256.hexdigest(), sha256)

    def keep(self) -> Path:
        self._file.close()
        self._part.replace(self._path)
        return self._path


def check_sha256(found: str, expected: str) -> None:
    if found != expected:
        raise DamagedDownload(
            f"The bytes that came have the SHA-256 {found[:12]}…, not {expected[:12]}…. Download it again."
        )
