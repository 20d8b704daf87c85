"""A batch's folder: its files, what is known of each item (manifest.jsonl), and which batch it is."""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fleet_client.calls import new_key
from fleet_client.models import BatchItem

_STATE = ".fleet-batch.json"
_MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class BatchBody:
    """What is sent to make a batch."""

    content: bytes
    media_type: str
    query: Mapping[str, str]

    @property
    def sha256(self) -> str:
        options = json.dumps([self.media_type, dict(self.query)], sort_keys=True).encode()
        return hashlib.sha256(options + b"\n" + self.content).hexdigest()


class FolderInUse(Exception):
    """The folder is another batch's, or none's at all. The sentence says what to do."""


class BatchFolder:
    """The key is written down before the batch is asked for: asked for twice, it is still one batch.

    From its opening to the end of its `with`, no other command works in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._state: dict[str, Any] = {}
        self.done: dict[int, bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def open_for(self, body: BatchBody) -> None:
        """For a new batch, or to go on with the one of the same body. Raises FolderInUse or OSError."""
        if self._state_path.exists():
            self.open()
            if self._state["sha256"] != body.sha256:
                raise FolderInUse(
                    f"{self.path} holds another batch. Go on with that one by `fleet batch --resume {self.path}`, "
                    "or name another folder."
                )
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._take()
        self._write({"key": new_key(), "sha256": body.sha256, "batch_id": None})

    def open(self) -> None:
        """To go on. Raises FolderInUse or OSError."""
        try:
            self._state = json.loads(self._state_path.read_text())
        except FileNotFoundError as error:
            raise FolderInUse(f"{self.path} holds no batch: {self._state_path} is not there.") from error
        self._take()
        self._read_manifest()

    def _take(self) -> None:
        """Raises FolderInUse."""
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUse(f"Another command is at work in {self.path}; let it end first.") from error
        # Of one that was killed.
        for part in self.path.glob(".*.part"):
            part.unlink()

    @property
    def key(self) -> str:
        return str(self._state["key"])

    @property
    def batch_id(self) -> str | None:
        """None: it has not been accepted, as far as is known."""
        found: str | None = self._state.get("batch_id")
        return found

    def accepted_as(self, batch_id: str) -> None:
        self._write({**self._state, "batch_id": batch_id})

    def forget(self) -> None:
        """There is no such batch."""
        self._state_path.unlink()

    def note(self, item: BatchItem, files: list[str], problem: str | None) -> dict[str, Any]:
        """Once its files are there. `problem`: why not all of them are. What was noted."""
        line = item.to_json() | {"files": files, "problem": problem}
        with self._manifest_path.open("a", encoding="utf-8") as manifest:
            manifest.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.done[item.index] = _is_well(line)
        return line

    def forget_failures(self) -> None:
        """So that these items are noted again, and fetched, once they have ended anew. Raises OSError."""
        if not self._manifest_path.exists():
            return
        part = self.path / f".{_MANIFEST}.part"
        with self._manifest_path.open("rb") as manifest, part.open("wb") as kept:
            kept.writelines(line for line in manifest if _is_well(json.loads(line)))
            kept.flush()
            os.fsync(kept.fileno())
        part.replace(self._manifest_path)
        self.done = {index: well for index, well in self.done.items() if well}

    @property
    def failures(self) -> int:
        """Items that did not succeed, or whose files could not be fetched."""
        return sum(not well for well in self.done.values())

    def _read_manifest(self) -> None:
        """A last line that an interruption broke off is cut away."""
        if not self._manifest_path.exists():
            return
        whole = 0
        with self._manifest_path.open("rb+") as manifest:
            for text in manifest:
                if not text.endswith(b"\n"):
                    break
                whole += len(text)
                line = json.loads(text)
                self.done[line["index"]] = _is_well(line)
            manifest.truncate(whole)

    def _write(self, state: dict[str, Any]) -> None:
        part = self._state_path.with_suffix(".part")
        with part.open("w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._state_path)
        self._state = state

    @property
    def _state_path(self) -> Path:
        return self.path / _STATE

    @property
    def _manifest_path(self) -> Path:
        return self.path / _MANIFEST


def _is_well(line: Mapping[str, Any]) -> bool:
    return line["state"] == "succeeded" and line["problem"] is None
