"""A client that sends again what was not answered, under the same Idempotency-Key."""

import threading
import time
import uuid
from collections import Counter
from typing import Any

import httpx

_TRIES_SECONDS = 180.0
_PAUSE_MAX_SECONDS = 2.0
_ANSWER_SECONDS = 20.0
_AGAIN = {409, 429, 500, 502, 503, 504}


class NotAnswered(Exception):
    """No answer that says whether the request was accepted, however often it was sent."""


class Answers:
    """How often each status, or each failure of a connection, was seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def note(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1


class Caller:
    def __init__(self, url: str, answers: Answers) -> None:
        self._client = httpx.Client(base_url=url, timeout=_ANSWER_SECONDS)
        self._answers = answers

    def close(self) -> None:
        self._client.close()

    def post(self, path: str, body: Any, *, wait: int | None = None) -> httpx.Response:
        """Raises NotAnswered."""
        return self._request("POST", path, json=body, wait=wait)

    def delete(self, path: str) -> httpx.Response:
        """Raises NotAnswered."""
        return self._request("DELETE", path)

    def get(self, path: str, *, wait: int | None = None) -> httpx.Response:
        """Raises NotAnswered."""
        return self._request("GET", path, wait=wait)

    def _request(self, method: str, path: str, *, wait: int | None = None, **content: Any) -> httpx.Response:
        deadline = time.monotonic() + _TRIES_SECONDS
        key = {} if method == "GET" else {"Idempotency-Key": uuid.uuid4().hex}
        request = self._client.build_request(
            method,
            path,
            params={"wait": wait} if wait else {},
            headers=key,
            timeout=_ANSWER_SECONDS + (wait or 0),
            **content,
        )
        while time.monotonic() < deadline:
            answer = self._once(request)
            if answer is not None and answer.status_code not in _AGAIN:
                return answer
            time.sleep(_pause(answer))
        raise NotAnswered(f"{method} {path}")

    def _once(self, request: httpx.Request) -> httpx.Response | None:
        try:
            answer = self._client.send(request)
        except httpx.TransportError as error:
            self._answers.note(type(error).__name__)
            return None
        code = "" if answer.is_success else f" {_code(answer)}"
        self._answers.note(f"{answer.status_code}{code}")
        return answer


def _pause(answer: httpx.Response | None) -> float:
    asked = float(answer.headers.get("Retry-After", 0.5)) if answer is not None else 0.5
    return min(asked, _PAUSE_MAX_SECONDS)


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "without a code"
