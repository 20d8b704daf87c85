"""What is captured: sound pages in all outputs, with and without a session, and one in ten that fails."""

import random
import threading
from collections import Counter

import httpx

_OUTPUTS = (
    [{"kind": "screenshot"}],
    [{"kind": "screenshot", "full_page": True, "type": "jpeg"}],
    [{"kind": "pdf"}],
    [{"kind": "html"}],
    [{"kind": "screenshot"}, {"kind": "pdf"}, {"kind": "html"}],
)
_SOUND = ("/plain", "/late", "/images", "/cookie", "/scripted")
_FAILING = (
    "/status/503",
    "/close",
    "/never",
    "/slow",
    "/redirect-loop",
    "/download",
    "/loop",
    "/allocate",
    "/hostile/heap_of_nodes",
    "/hostile/popups_for_ever",
    "/hostile/console_flood",
    "/hostile/window_close",
)
_FAILING_SHARE = 0.1
_FAILING_TIMEOUT_MS = 3_000
_IN_SESSION_SHARE = 0.4
# Then the session is deleted, and another one created.
_SESSION_CAPTURES = 25
_WAIT_SECONDS = 60
SUCCEEDED = "succeeded"


class Work:
    """Captures, `clients` at a time, until `captures` are done. All rest after `rest_every`, until told to go on."""

    def __init__(self, url: str, pages: str, *, seed: int, captures: int, clients: int, rest_every: int) -> None:
        self._url = url
        self._pages = pages
        self._captures = captures
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._begun = 0
        self._running = 0
        self._rest_at = rest_every
        self._rest_every = rest_every
        self.done = 0
        self.outcomes: Counter[str] = Counter()
        # Captures of sound pages that did not succeed.
        self.unexpected: list[dict[str, object]] = []
        self._threads = [threading.Thread(target=self._client, args=(seed + n,), daemon=True) for n in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def goes_on(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    @property
    def rests(self) -> bool:
        """Nothing is captured, and nothing will be before `go_on`."""
        with self._lock:
            return self._is_due_to_rest() and not self._running

    def go_on(self) -> None:
        with self._changed:
            self._rest_at += self._rest_every
            self._changed.notify_all()

    def _is_due_to_rest(self) -> bool:
        return self._begun >= min(self._rest_at, self._captures)

    def _client(self, seed: int) -> None:
        dice = random.Random(seed)
        with httpx.Client(base_url=self._url, timeout=_WAIT_SECONDS + 20) as api:
            session, used = "", 0
            while self._begin():
                try:
                    session, used = self._turn(api, dice, session, used)
                finally:
                    self._end()
            if session:
                self._delete(api, session)

    def _turn(self, api: httpx.Client, dice: random.Random, session: str, used: int) -> tuple[str, int]:
        """One capture. The client's session after it, or "", and how many captures it has done."""
        if not session:
            session, used = self._create(api), 0
        in_session = dice.random() < _IN_SESSION_SHARE
        path = f"/api/sessions/{session}/captures" if in_session else "/api/captures"
        if not self._capture(api, dice, path):
            return "", 0
        used += in_session
        if used == _SESSION_CAPTURES:
            self._delete(api, session)
            return "", 0
        return session, used

    def _begin(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._begun >= self._captures or not self._is_due_to_rest())
            if self._begun >= self._captures:
                return False
            self._begun += 1
            self._running += 1
            return True

    def _end(self) -> None:
        with self._changed:
            self._running -= 1

    def _create(self, api: httpx.Client) -> str:
        answer = api.post("/api/sessions", json={}, params={"wait": _WAIT_SECONDS}).raise_for_status()
        return str(answer.json()["session"]["id"])

    def _delete(self, api: httpx.Client, session: str) -> None:
        answer = api.delete(f"/api/sessions/{session}", params={"wait": _WAIT_SECONDS})
        if not answer.is_success:
            self._note(fails=False, outcome=f"deletion {_outcome(answer)}", counts=0)

    def _capture(self, api: httpx.Client, dice: random.Random, path: str) -> bool:
        """False: the session has ended."""
        fails = dice.random() < _FAILING_SHARE
        body: dict[str, object] = {
            "url": self._pages + dice.choice(_FAILING if fails else _SOUND),
            "outputs": dice.choice(_OUTPUTS),
        }
        if fails:
            body["timeout"] = _FAILING_TIMEOUT_MS
        answer = api.post(path, json=body, params={"wait": _WAIT_SECONDS})
        outcome = _outcome(answer)
        self._note(fails=fails, outcome=outcome)
        if not fails and outcome != SUCCEEDED:
            self.unexpected.append({"capture": body, "answer": answer.json()})
        return answer.status_code != httpx.codes.GONE

    def _note(self, *, fails: bool, outcome: str, counts: int = 1) -> None:
        with self._lock:
            self.done += counts
            self.outcomes[f"{'failing' if fails else 'sound'} page: {outcome}"] += 1


def _outcome(answer: httpx.Response) -> str:
    body = answer.json()
    if not answer.is_success:
        return f"{answer.status_code} {body['error']['code']}"
    job = body["job"]
    return f"{job['state']} {(job['error'] or {}).get('code', '')}".strip()
