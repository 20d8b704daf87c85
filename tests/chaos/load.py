"""A steady load of clients: sessions that count their visits, captures without one, hostile pages, cancellations."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.caller import Answers, Caller, NotAnswered
from tests.chaos.ledger import FINAL, Job, Ledger

_GONE = {404, 410}
_PATIENCE_SECONDS = 240.0
_POLL_WAIT_SECONDS = 10
_CAPTURE_TIMEOUT_MS = 30_000
_HOSTILE_TIMEOUT_MS = 4_000
_PAUSE_SECONDS = (0.2, 1.2)
_VISITS = (4, 14)

_HOSTILE_PAGES = (
    "/loop",
    "/allocate",
    "/never",
    "/slow",
    "/allocate-later",
    "/hostile/alert_loop",
    "/hostile/buffers_in_a_loop",
    "/hostile/console_flood",
    "/hostile/document_write_for_ever",
    "/hostile/heap_of_nodes",
    "/hostile/location_loop",
    "/hostile/loop_in_promises",
    "/hostile/loop_in_unload",
    "/hostile/loop_in_worker",
    "/hostile/popups_for_ever",
    "/hostile/service_worker_loop",
    "/hostile/websocket_flood",
    "/hostile/window_close",
)


@dataclass(frozen=True)
class Sites:
    """Where pages are served; those that mean harm have an origin of their own, whose storage they may spoil."""

    sound: str
    hostile: str


class Client:
    """What all clients have in common; each has dice of its own, so that the seed decides what it does."""

    def __init__(self, load: "Load", name: str) -> None:
        self.load = load
        self.ledger = load.ledger
        self.dice = random.Random(f"{load.seed}:{name}")
        self.caller = Caller(load.url, load.answers)

    def submit(self, path: str, body: dict[str, object], purpose: str) -> str | None:
        """The id of the accepted job; None: the session is gone."""
        wait = 5 if self.dice.random() < 0.2 else None
        answer = self.caller.post(path, body, wait=wait)
        if answer.status_code in _GONE:
            return None
        if not answer.is_success:
            self.ledger.find(f"POST {path}: {answer.status_code} {answer.text[:300]}")
            return None
        return self.ledger.accept(answer.json()["job"], purpose)

    def await_end(self, job_id: str) -> Job | None:
        """None: not within the patience of this client, or the load ends."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and not self.load.stopping.is_set():
            answer = self.caller.get(f"/api/jobs/{job_id}", wait=_POLL_WAIT_SECONDS)
            if not answer.is_success:
                self.ledger.find(f"{job_id} is lost: {answer.status_code} {answer.text[:300]}")
                return None
            job: Job = answer.json()
            self.ledger.note(job)
            if job["state"] in FINAL:
                return job
        return None

    def cancel(self, job_id: str) -> None:
        self.caller.delete(f"/api/jobs/{job_id}")

    def hostile_page(self) -> str:
        return self.load.sites.hostile + self.dice.choice(_HOSTILE_PAGES)

    def pause(self) -> None:
        self.load.stopping.wait(self.dice.uniform(*_PAUSE_SECONDS))


class SessionClient(Client):
    """Lives in one session after the other; `keeps`: in the same one to the end."""

    def __init__(self, load: "Load", name: str, *, keeps: bool) -> None:
        super().__init__(load, name)
        self._keeps = keeps

    def turn(self) -> None:
        session = self._create()
        if session is None:
            return
        rounds = 10_000 if self._keeps else self.dice.randint(*_VISITS)
        for _ in range(rounds):
            if self.load.stopping.is_set():
                return
            if not self._visit(session):
                self._note_loss(session)
                return
            self.pause()
        self._delete(session)

    def _create(self) -> str | None:
        job_id = self.submit("/api/sessions", {"metadata": {"by": "chaos"}}, "create")
        job = self.await_end(job_id) if job_id else None
        if job is None or job["state"] != "succeeded":
            self.pause()
            return None
        return str(job["session_id"])

    def _visit(self, session: str) -> bool:
        """A few captures, accepted one right after the other. False: the session is gone."""
        job_id: str | None = None
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            job_id = self._capture(session)
            if job_id is None:
                return False
        assert job_id is not None
        if self.dice.random() < 0.05:
            self.cancel(job_id)
        self.await_end(job_id)
        return True

    def _capture(self, session: str) -> str | None:
        path = f"/api/sessions/{session}/captures"
        body: dict[str, object] = {"outputs": [{"kind": "html"}], "timeout": _CAPTURE_TIMEOUT_MS}
        dice = self.dice.random()
        if dice < 0.1:
            actions = [{"kind": "evaluate", "expression": "document.title = 'acted'"}]
            return self.submit(path, {**body, "actions": actions}, "act")
        if dice < 0.15:
            hostile = {"url": self.hostile_page(), "timeout": _HOSTILE_TIMEOUT_MS}
            return self.submit(path, {**body, **hostile}, "hostile")
        return self.submit(path, {**body, "url": f"{self.load.sites.sound}/cookie"}, "visit")

    def _delete(self, session: str) -> None:
        answer = self.caller.delete(f"/api/sessions/{session}")
        self.ledger.sessions[session].deleted = True
        if answer.is_success:
            self.await_end(self.ledger.accept(answer.json()["job"], "delete"))
        elif answer.status_code in _GONE:
            self._note_loss(session, deleted=True)

    def _note_loss(self, session: str, *, deleted: bool = False) -> None:
        answer = self.caller.get(f"/api/sessions/{session}")
        if answer.is_success and not deleted:
            self.ledger.find(f"{session} took no capture, and lives")
            return
        details = answer.json()["error"]["details"] if not answer.is_success else {}
        self.ledger.sessions[session].lost_because = str(details.get("end_reason", answer.status_code))


class CaptureClient(Client):
    """Captures without a session; `hostile`: of pages that fail."""

    def __init__(self, load: "Load", name: str, *, hostile: bool) -> None:
        super().__init__(load, name)
        self._hostile = hostile

    def turn(self) -> None:
        timeout = _HOSTILE_TIMEOUT_MS if self._hostile else _CAPTURE_TIMEOUT_MS
        body = {"url": self.hostile_page() if self._hostile else self._sound_page(), "timeout": timeout}
        purpose = "hostile" if self._hostile else "one shot"
        job_ids = [self.submit("/api/captures", body, purpose) for _ in range(self.dice.choice((1, 1, 3)))]
        for job_id in filter(None, job_ids):
            if self.dice.random() < 0.03:
                self.cancel(job_id)
            self.await_end(job_id)
        self.pause()

    def _sound_page(self) -> str:
        return self.load.sites.sound + self.dice.choice(("/plain", "/late", "/images"))


class Load:
    """Clients from `start` to `stop`."""

    def __init__(self, url: str, sites: Sites, ledger: Ledger, *, seed: int, sessions: int, one_shots: int) -> None:
        self.url = url
        self.sites = sites
        self.ledger = ledger
        self.seed = seed
        self.answers = Answers()
        self.stopping = threading.Event()
        clients: list[tuple[Client, Callable[[], None]]] = []
        for number in range(sessions):
            in_session = SessionClient(self, f"session-{number}", keeps=number % 2 == 0)
            clients.append((in_session, in_session.turn))
        for number in range(one_shots + 1):
            without = CaptureClient(self, f"capture-{number}", hostile=number == one_shots)
            clients.append((without, without.turn))
        self._threads = [threading.Thread(target=self._run, args=client, daemon=True) for client in clients]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """When each client has the answer to its last request."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client: Client, turn: Callable[[], None]) -> None:
        while not self.stopping.is_set():
            try:
                turn()
            except NotAnswered as error:
                self.ledger.note_not_answered(str(error))
            except Exception as error:  # noqa: BLE001  # top of a client: what it met is a finding
                self.ledger.find(f"a client met {error!r}")
        client.caller.close()
