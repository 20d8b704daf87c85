"""The ledger's end: what was promised is compared with what is there, when all faults are over."""

import hashlib
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from html import unescape
from itertools import pairwise
from typing import Any

import httpx

from tests.chaos.fleet import Fleet
from tests.chaos.ledger import FINAL, Entry, Job, Ledger, SessionBook

# Nothing that a fault has delayed comes later than this after the last one.
_REST_SECONDS = 180.0
# A checkpoint follows its job at once, but not while Redis or Chrome is away: the longest of these times.
_CHECKPOINT_AGE = timedelta(seconds=60)
_WAIT_SECONDS = 60
_PAGE = 200
# Of a job of a page that is sound: faults may cause them, nothing else does.
_CODES_OF_FAULTS = {
    "browser_unavailable",
    "capture_timeout",
    "connection_failed",
    "navigation_timeout",
    "page_crashed",
    "session_ended",
    "session_restored",
    "storage_unavailable",
    "worker_lost",
    "worker_stopping",
}
# Of a job of any page.
_CODES_OF_DEFECTS = {"internal_error", "invalid_request", "worker_full"}
# They open the page that counts; other captures show where it stood.
_VISITS = {"visit", "last visit"}
_LEFT_OVER = (
    "fleet:session:*:lock",
    "fleet:session:*:jobs",
    "fleet:worker:*:estate",
    "fleet:worker:*:drain",
    "fleet:waiting:*",
    # Celery's own lists, one for each queue; an empty list is no key.
    "captures",
    "sessions",
    "worker-*",
)


@dataclass
class Audit:
    """`findings` is empty if all promises were kept."""

    findings: list[str] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float | int] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


class Auditor:
    def __init__(self, fleet: Fleet, ledger: Ledger, *, pages: str, without_redis: list[tuple[float, float]]) -> None:
        """`without_redis`: when it was frozen or away, in seconds of the epoch."""
        self._fleet = fleet
        self._ledger = ledger
        self._pages = pages
        self._without_redis = without_redis
        self._client = httpx.Client(base_url=fleet.url, timeout=_WAIT_SECONDS + 20)
        self._audit = Audit(findings=ledger.findings)
        self._jobs: dict[str, Job] = {}

    def audit(self) -> Audit:
        started = time.monotonic()
        self._await_rest()
        self._figure("seconds to rest", round(time.monotonic() - started, 1))
        self._visit_living_sessions()
        self._read_jobs()
        self._check_outcomes()
        self._check_nobody_else()
        self._check_order()
        self._check_artifacts_and_visits()
        self._check_store()
        self._check_slots()
        self._end_sessions()
        self._check_stop()
        return self._audit

    def _find(self, finding: str) -> None:
        self._audit.findings.append(finding)

    def _figure(self, name: str, value: float) -> None:
        self._audit.figures[name] = value

    def _get(self, path: str, **params: Any) -> Any:
        answer = self._client.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def _await_rest(self) -> None:
        deadline = time.monotonic() + _REST_SECONDS
        self._fleet.wait_until_ready(_REST_SECONDS)
        for entry in self._ledger.unfinished:
            while self._look_at(entry) is None and time.monotonic() < deadline:
                time.sleep(0.2)
        for entry in self._ledger.unfinished:
            job = self._get(f"/api/jobs/{entry.job_id}")
            told = {name: job[name] for name in ("state", "worker", "attempts", "queued_at", "started_at")}
            self._find(f"{entry.purpose} {entry.job_id} of {entry.session_id} has not ended: {told}")
        self._until(deadline, self._unsettled_sessions, "sessions are not running again")

    def _look_at(self, entry: Entry) -> Job | None:
        job: Job = self._get(f"/api/jobs/{entry.job_id}")
        if job["state"] not in FINAL:
            return None
        self._ledger.note(job)
        return job

    def _until(self, deadline: float, still: Callable[[], object], what: str) -> None:
        while (left := still()) and time.monotonic() < deadline:
            time.sleep(0.2)
        if left:
            self._find(f"{what}: {left}")

    def _unsettled_sessions(self) -> dict[str, str]:
        return {session["id"]: session["state"] for session in self._sessions() if session["state"] != "running"}

    def _sessions(self) -> list[dict[str, Any]]:
        return list(self._list("sessions"))

    def _list(self, what: str) -> Iterable[dict[str, Any]]:
        cursor = None
        while True:
            page = self._get(f"/api/{what}", limit=_PAGE, **({"cursor": cursor} if cursor else {}))
            yield from page[what]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _visit_living_sessions(self) -> None:
        living = self._sessions()
        self._figure("sessions created", len(self._ledger.sessions))
        self._figure("sessions alive", len(living))
        self._figure("restorations of living sessions", sum(session["generation"] - 1 for session in living))
        body = {"url": f"{self._pages}/cookie", "outputs": [{"kind": "html"}]}
        for session in living:
            path = f"/api/sessions/{session['id']}/captures"
            job = self._client.post(path, json=body, params={"wait": _WAIT_SECONDS}).json()["job"]
            self._ledger.accept(job, "last visit")
            if job["state"] != "succeeded":
                self._find(f"{session['id']} lives, but its last visit {job['id']} {job['state']}: {job['error']}")
        ids = {session["id"] for session in living}
        for session_id, book in self._ledger.sessions.items():
            if session_id not in ids and _was_created(book) and not book.deleted:
                self._check_loss(session_id)

    def _check_loss(self, session_id: str) -> None:
        told = self._client.get(f"/api/sessions/{session_id}").json()
        self._find(f"{session_id} is lost: {told.get('error', told)}")

    def _read_jobs(self) -> None:
        for entry in self._ledger.entries.values():
            self._jobs[entry.job_id] = job = self._get(f"/api/jobs/{entry.job_id}")
            self._ledger.note(job)

    def _check_outcomes(self) -> None:
        outcomes: Counter[str] = Counter()
        for entry in self._ledger.entries.values():
            job = self._jobs[entry.job_id]
            code = (job["error"] or {}).get("code", "")
            outcomes[f"{entry.purpose}: {job['state']} {code}".strip()] += 1
            self._check_code(entry, job, code)
        self._audit.outcomes = dict(sorted(outcomes.items()))
        self._figure_times()

    def _check_code(self, entry: Entry, job: Job, code: str) -> None:
        allowed = code not in _CODES_OF_DEFECTS if entry.purpose == "hostile" else code in _CODES_OF_FAULTS
        if job["state"] == "failed" and not allowed:
            self._find(f"{entry.purpose} {entry.job_id} failed with {job['error']}")
        if code == "session_ended" and entry.session_id and not self._ledger.sessions[entry.session_id].deleted:
            self._find(f"{entry.purpose} {entry.job_id} met the end of {entry.session_id}: {job['error']}")

    def _figure_times(self) -> None:
        jobs = [job for job in self._jobs.values() if job["finished_at"]]
        times = sorted((_moment(job["finished_at"]) - _moment(job["queued_at"])).total_seconds() for job in jobs)
        self._figure("jobs accepted", len(self._jobs))
        self._figure("jobs run more than once", sum(job["attempts"] > 1 for job in jobs))
        if times:
            self._figure("job seconds, p50", round(statistics.median(times), 2))
            self._figure("job seconds, p95", round(times[int(0.95 * (len(times) - 1))], 2))
            self._figure("job seconds, longest", round(times[-1], 2))

    def _check_nobody_else(self) -> None:
        """Jobs that nobody was told of: the store went away while a request was being accepted."""
        strangers = [job for job in self._list("jobs") if job["id"] not in self._ledger.entries]
        self._figure("jobs that no client was told of", len(strangers))
        self._figure("of them not run", sum(job["state"] == "queued" for job in strangers))
        if running := [job["id"] for job in strangers if job["state"] == "running"]:
            self._find(f"jobs that no client was told of run for ever: {running}")

    def _check_order(self) -> None:
        for session_id, book in self._ledger.sessions.items():
            ran = [job for entry in book.entries if (job := self._jobs[entry.job_id])["started_at"]]
            for before, after in pairwise(job for job in ran if job["state"] != "cancelled"):
                if _moment(before["finished_at"]) > _moment(after["started_at"]):
                    self._find(
                        f"{session_id}: {after['id']} (accepted later) began {after['started_at']} before "
                        f"{before['id']} ended {before['finished_at']}"
                    )

    def _check_artifacts_and_visits(self) -> None:
        checked = 0
        visits: dict[str, dict[str, int]] = {}
        for job_id, job in self._jobs.items():
            for artifact in (job["result"] or {"artifacts": []})["artifacts"]:
                content = self._check_artifact(job_id, artifact)
                checked += 1
                if self._ledger.entries[job_id].purpose in _VISITS:
                    visits[job_id] = _counters(content)
        self._figure("artifacts checked", checked)
        lost = [
            self._check_visits(session_id, book, visits, counter)
            for session_id, book in self._ledger.sessions.items()
            for counter in ("cookie", "storage")
        ]
        self._figure("visits lost with their contexts, in all", sum(map(sum, lost)))
        self._figure("visits lost with one context, most", max((max(losses, default=0) for losses in lost), default=0))

    def _check_artifact(self, job_id: str, artifact: dict[str, Any]) -> bytes:
        answer = self._client.get(artifact["url"])
        if answer.status_code != httpx.codes.OK:
            self._find(f"{artifact['id']} of {job_id}: {answer.status_code} {answer.text[:200]}")
        elif hashlib.sha256(answer.content).hexdigest() != artifact["sha256"]:
            self._find(f"{artifact['id']} of {job_id} has {len(answer.content)} bytes that do not match its SHA-256")
        return answer.content

    def _check_visits(
        self, session_id: str, book: SessionBook, visits: dict[str, dict[str, int]], counter: str
    ) -> list[int]:
        """How many visits each loss of a context took along: those after the last checkpoint, not more."""
        seen: list[tuple[datetime, int]] = []
        lost: list[int] = []
        for entry in book.entries:
            if entry.job_id not in visits:
                continue
            job, value = self._jobs[entry.job_id], visits[entry.job_id][counter]
            begun = _moment(job["started_at"])
            if seen and value <= seen[-1][1]:
                lost.append(seen[-1][1] + 1 - value)
                old = [count for ended, count in seen if self._could_be_kept(ended, begun) > _CHECKPOINT_AGE]
                if old and value <= old[-1]:
                    self._find(
                        f"{session_id}: {counter} is {value} in {entry.job_id} at {job['started_at']}, and was "
                        f"{old[-1] + 1} more than {_CHECKPOINT_AGE.seconds} s before"
                    )
                seen.clear()
            seen.append((_moment(job["finished_at"]), value))
        return lost

    def _could_be_kept(self, ended: datetime, begun: datetime) -> timedelta:
        """Of the time between the two that with a Redis to keep it in."""
        first, last = ended.timestamp(), begun.timestamp()
        without = sum(max(0.0, min(last, until) - max(first, since)) for since, until in self._without_redis)
        return begun - ended - timedelta(seconds=without)

    def _check_store(self) -> None:
        store = self._fleet.store
        lasting = [key for key in store.scan_iter("fleet:*", count=1000) if store.ttl(key) == -1]
        if lasting:
            self._find(f"keys without a TTL: {lasting}")
        # The place of a creation that was never made is taken away after 20 s, at one of the looks that follow.
        self._until(time.monotonic() + 90, self._left_over, "keys left over")
        noted = sum(int(str(store.hlen(key))) for key in store.scan_iter("fleet:worker:*:messages"))
        self._figure("messages that workers still note as in hand", noted)
        self._figure("messages that the broker takes for unfinished", int(str(store.hlen("unacked"))))

    def _left_over(self) -> list[str]:
        """Of work that has ended, locks and leases, and messages that nobody has taken."""
        return [str(key) for pattern in _LEFT_OVER for key in self._fleet.store.scan_iter(pattern, count=1000)]

    def _check_slots(self) -> None:
        self._until(time.monotonic() + 30, self._slot_differences, "slots and sessions differ")
        # The last hostile page has just given its memory back, and the next look at it is up to 5 s away.
        self._until(time.monotonic() + 30, self._closed_workers, "workers that admit no sessions")

    def _closed_workers(self) -> list[str]:
        return [str(report["name"]) for report in self._fleet.worker_reports() if not report["admits_sessions"]]

    def _slot_differences(self) -> set[tuple[str, str]]:
        """Pairs of worker and session that only one of them knows."""
        store = self._fleet.store
        leased = {
            (str(key).removeprefix("fleet:slots:"), str(holder))
            for key in store.scan_iter("fleet:slots:*")
            for holder in store.zrange(key, 0, -1)
        }
        return leased ^ {(session["worker"], session["id"]) for session in self._sessions()}

    def _end_sessions(self) -> None:
        for session in self._sessions():
            self._client.delete(f"/api/sessions/{session['id']}", params={"wait": _WAIT_SECONDS})
        self._until(time.monotonic() + 30, self._sessions, "sessions that do not end")
        self._until(time.monotonic() + 30, self._slot_differences, "slots that are held by nobody")
        self._until(time.monotonic() + 30, self._held, "contexts that are not closed")

    def _held(self) -> int:
        return sum(int(str(report["sessions"])) for report in self._fleet.worker_reports())

    def _check_stop(self) -> None:
        self._client.close()
        codes = self._fleet.stop()
        if any(code != 0 for code in codes.values()):
            self._find(f"exit codes: {codes}")
        self._until(time.monotonic() + 5, self._fleet.census.left, "processes left")
        if files := self._fleet.temporary_files():
            self._find(f"temporary files left: {files}")
        if parts := [str(path) for path in self._fleet.artifacts.rglob(".part-*")]:
            self._find(f"unfinished artifacts left: {parts}")


def _was_created(book: SessionBook) -> bool:
    return any(entry.purpose == "create" and (entry.seen or {}).get("state") == "succeeded" for entry in book.entries)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _counters(content: bytes) -> dict[str, int]:
    found = re.search("<pre>(.*?)</pre>", unescape(content.decode()))
    assert found is not None, content
    counters: dict[str, int] = json.loads(found[1])
    return counters
