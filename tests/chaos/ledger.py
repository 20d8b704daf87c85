"""What clients were told, and by which session it is to be remembered."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Job = dict[str, Any]

FINAL = {"succeeded", "failed", "cancelled"}


@dataclass
class Entry:
    """An accepted job. `seen`: as a client saw it end."""

    job_id: str
    session_id: str | None
    purpose: str
    seen: Job | None = None


@dataclass
class SessionBook:
    """`entries` in the order in which they were accepted; `deleted`: a client asked for its end."""

    entries: list[Entry] = field(default_factory=list)
    deleted: bool = False
    # As the API told it to a client that did not ask for its end.
    lost_because: str | None = None


class Ledger:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries: dict[str, Entry] = {}
        self.sessions: dict[str, SessionBook] = {}
        self.findings: list[str] = []
        self.not_answered: Counter[str] = Counter()

    def accept(self, job: Job, purpose: str) -> str:
        """The job's id."""
        job_id, session_id = str(job["id"]), job["session_id"]
        with self._lock:
            if job_id in self.entries:
                self.findings.append(f"{job_id} was accepted twice")
            entry = self.entries[job_id] = Entry(job_id, session_id, purpose)
            if session_id is not None:
                self.sessions.setdefault(session_id, SessionBook()).entries.append(entry)
        self.note(job)
        return job_id

    def note(self, job: Job) -> None:
        """A client has seen the job; an outcome that it saw must not change."""
        entry = self.entries[job["id"]]
        with self._lock:
            if entry.seen is not None and _outcome(entry.seen) != _outcome(job):
                self.findings.append(f"{entry.job_id} ended twice: {_outcome(entry.seen)}, then {_outcome(job)}")
            elif job["state"] in FINAL:
                entry.seen = job

    def find(self, finding: str) -> None:
        with self._lock:
            self.findings.append(finding)

    def note_not_answered(self, request: str) -> None:
        with self._lock:
            self.not_answered[request] += 1

    @property
    def unfinished(self) -> list[Entry]:
        return [entry for entry in list(self.entries.values()) if entry.seen is None]


def _outcome(job: Job) -> tuple[str, str | None, str | None]:
    return job["state"], job["finished_at"], (job["error"] or {}).get("code")
