"""What is refused has its code, and leaves the session as it was: what it has, how long it lives, what it takes."""

from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from fleet import keys
from fleet.store import Store
from tests.doubles import RecordingQueue
from tests.factories import a_script
from tests.integration.api.conftest import Json

_LIMIT = 50
_BYTES = 20_480
_WEEK = 7 * 86_400


@dataclass(frozen=True)
class Refusal:
    """`path`: under that of the session."""

    method: str
    path: str
    body: Json
    status: int
    code: str


_REFUSALS = {
    "51st script": Refusal("POST", "/scripts", {"source": "window.a = 1"}, 409, "script_limit_reached"),
    "20,481 bytes": Refusal("POST", "/scripts", {"source": "//" + "x" * (_BYTES - 1)}, 413, "script_too_large"),
    "20,481 bytes of Japanese": Refusal(
        "POST", "/scripts", {"source": "//" + "日" * 6826 + "x"}, 413, "script_too_large"
    ),
    "syntax error": Refusal("POST", "/scripts", {"source": "let a = ;"}, 400, "script_syntax_error"),
    "script that is no text": Refusal("POST", "/scripts", {"source": 5}, 400, "invalid_request"),
    "ttl 0": Refusal("PATCH", "", {"ttl": 0}, 400, "invalid_request"),
    "ttl -1": Refusal("PATCH", "", {"ttl": -1}, 400, "invalid_request"),
    "ttl of a week": Refusal("PATCH", "", {"ttl": _WEEK}, 400, "invalid_request"),
    "ttl of a day and a second": Refusal("PATCH", "", {"ttl": 86_401}, 400, "invalid_request"),
    "ttl as text": Refusal("PATCH", "", {"ttl": "60"}, 400, "invalid_request"),
    "good metadata beside a bad ttl": Refusal("PATCH", "", {"ttl": 0, "metadata": {"a": "b"}}, 400, "invalid_request"),
    "capture of a file": Refusal("POST", "/captures", {"url": "file:///etc/passwd"}, 400, "invalid_url"),
    "capture with an unknown field": Refusal("POST", "/captures", {"fulPage": True}, 400, "invalid_request"),
}


@pytest.fixture
def full_session(running_session: str, store: Store) -> str:
    """One with as many scripts as it may have."""
    for _ in range(_LIMIT):
        store.scripts.add(running_session, a_script())
    return running_session


def everything(store: Store, session_id: str) -> dict[str, Any]:
    """All that is kept of it but when it was last used, and its idle time."""
    record = store.client.hgetall(keys.session(session_id))
    return {
        "record": {name: value for name, value in record.items() if name != "last_used_at"},
        "options": store.sessions.options(session_id),
        "scripts": store.client.lrange(keys.session_scripts(session_id), 0, -1),
        "jobs": store.client.lrange(keys.session_jobs(session_id), 0, -1),
        "all jobs": store.client.zrange(keys.JOB_INDEX, 0, -1),
    }


@pytest.mark.parametrize("refusal", _REFUSALS.values(), ids=_REFUSALS.keys())
def test_a_refusal_names_its_code_and_leaves_the_session_as_it_was(
    client: FlaskClient, store: Store, queue: RecordingQueue, full_session: str, refusal: Refusal
) -> None:
    before, sent = everything(store, full_session), list(queue.sent)
    lived = store.sessions.remaining([full_session])[full_session]
    path = f"/api/sessions/{full_session}"
    answer = client.open(path + refusal.path, method=refusal.method, json=refusal.body)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (refusal.status, refusal.code)
    assert (everything(store, full_session), queue.sent) == (before, sent)
    # A refusal may count as a use, but takes no time away.
    assert store.sessions.remaining([full_session])[full_session] > lived - 60
    assert client.post(f"{path}/captures", json={}).status_code == 202


@pytest.mark.parametrize("ttl", [0, -1, _WEEK], ids=["0", "-1", "a week"])
@pytest.mark.parametrize("name", ["ttl", "max_lifetime"])
def test_a_creation_with_a_bad_time_is_refused_and_makes_nothing(
    client: FlaskClient, store: Store, queue: RecordingQueue, name: str, ttl: int
) -> None:
    before = set(store.client.scan_iter("*"))
    answer = client.post("/api/sessions", json={name: ttl})
    error = answer.get_json()["error"]

    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "invalid_request", name)
    assert (set(store.client.scan_iter("*")), queue.sent) == (before, [])
