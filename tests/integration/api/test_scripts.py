from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fleet.ids import new_id
from fleet.models.session import EndReason
from fleet.settings import Settings
from fleet.store import Store
from tests.doubles import RecordingQueue
from tests.factories import a_script
from tests.integration.api.conftest import Json

_LIMIT = 50
_BYTES = 20_480


def path(session_id: str, script_id: str = "") -> str:
    return f"/api/sessions/{session_id}/scripts" + (f"/{script_id}" if script_id else "")


def add(client: FlaskClient, session_id: str, source: Any = "window.seen = true") -> TestResponse:
    return client.post(path(session_id), json={"source": source})


def listed(client: FlaskClient, session_id: str) -> list[Json]:
    scripts: list[Json] = client.get(path(session_id)).get_json()["scripts"]
    return scripts


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


def fill(store: Store, session_id: str, count: int) -> None:
    for _ in range(count):
        store.scripts.add(session_id, a_script())


def of_bytes(count: int, character: str = "x") -> str:
    """A comment of that many bytes, as many of them as possible in that character."""
    repeated = character * ((count - 2) // len(character.encode()))
    return "//" + repeated + "x" * (count - 2 - len(repeated.encode()))


def call(client: FlaskClient, method: str, session_id: str) -> TestResponse:
    if method == "POST":
        return add(client, session_id)
    return client.open(path(session_id, new_id("scr") if method == "DELETE" else ""), method=method)


def shorten(store: Store, session_id: str) -> None:
    """As if the session had not been used for a while."""
    (key,) = store.client.keys(f"*{{{session_id}}}")
    store.client.expire(key, 5)


def test_an_added_script_is_answered_with_its_id_source_and_size(client: FlaskClient, running_session: str) -> None:
    answer = add(client, running_session, "window.größe = '日本'")
    script = answer.get_json()

    assert answer.status_code == 201
    assert set(script) == {"id", "source", "bytes", "created_at"}
    assert script["id"].startswith("scr_")
    assert (script["source"], script["bytes"]) == ("window.größe = '日本'", 25)


def test_a_session_without_scripts_has_an_empty_list(client: FlaskClient, running_session: str) -> None:
    answer = client.get(path(running_session))

    assert (answer.status_code, answer.get_json()) == (200, {"scripts": []})


def test_scripts_are_listed_as_they_were_answered_in_the_order_of_their_addition(
    client: FlaskClient, running_session: str
) -> None:
    added = [add(client, running_session, f"window.number = {number}").get_json() for number in range(5)]

    assert listed(client, running_session) == added


def test_a_removed_script_is_answered_and_no_longer_listed(client: FlaskClient, running_session: str) -> None:
    first, second, third = (add(client, running_session).get_json() for _ in range(3))
    answer = client.delete(path(running_session, second["id"]))

    assert (answer.status_code, answer.get_json()) == (200, second)
    assert listed(client, running_session) == [first, third]


def test_a_script_is_removed_once(client: FlaskClient, running_session: str) -> None:
    script = add(client, running_session).get_json()
    client.delete(path(running_session, script["id"]))

    assert refusal(client.delete(path(running_session, script["id"]))) == (404, "script_not_found")


@pytest.mark.parametrize("script_id", [new_id("scr"), "scr_short", "job_" + "a" * 32, "x" * 500])
def test_a_script_that_never_was_is_not_found(client: FlaskClient, running_session: str, script_id: str) -> None:
    add(client, running_session)

    assert refusal(client.delete(path(running_session, script_id))) == (404, "script_not_found")
    assert len(listed(client, running_session)) == 1


def test_a_script_of_another_session_is_not_found(
    client: FlaskClient, running_session: str, pending_session: Json
) -> None:
    other = client.post("/api/sessions").get_json()["session"]["id"]
    script = add(client, other).get_json()

    assert refusal(client.delete(path(running_session, script["id"]))) == (404, "script_not_found")
    assert listed(client, other) == [script]


def test_a_script_whose_source_names_another_is_not_taken_for_it(client: FlaskClient, running_session: str) -> None:
    script = add(client, running_session).get_json()
    naming = add(client, running_session, f"'{script['id']}'").get_json()
    client.delete(path(running_session, script["id"]))

    assert listed(client, running_session) == [naming]


def test_a_session_shows_how_many_scripts_it_has(client: FlaskClient, running_session: str, store: Store) -> None:
    fill(store, running_session, 3)

    assert client.get(f"/api/sessions/{running_session}").get_json()["scripts"] == 3
    assert [session["scripts"] for session in client.get("/api/sessions").get_json()["sessions"]] == [3]


def test_a_session_takes_scripts_while_it_is_pending(client: FlaskClient, pending_session: Json) -> None:
    assert add(client, pending_session["session"]["id"]).status_code == 201


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("session_id", [new_id("ses"), "ses_short", "x" * 500])
def test_scripts_of_a_session_that_never_was_are_not_found(client: FlaskClient, method: str, session_id: str) -> None:
    assert refusal(call(client, method, session_id)) == (404, "session_not_found")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_scripts_of_an_ended_session_have_ended_with_it(
    client: FlaskClient, running_session: str, store: Store, method: str
) -> None:
    store.sessions.end(running_session, EndReason.DELETED)
    answer = call(client, method, running_session)

    assert refusal(answer) == (410, "session_ended")
    assert answer.get_json()["error"]["details"]["end_reason"] == "deleted"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_every_call_for_scripts_renews_the_session(
    client: FlaskClient, running_session: str, store: Store, settings: Settings, method: str
) -> None:
    shorten(store, running_session)
    call(client, method, running_session)

    assert client.get(f"/api/sessions/{running_session}").get_json()["ttl"] > settings.session_ttl - 10


def test_the_last_script_within_the_limit_is_taken(client: FlaskClient, running_session: str, store: Store) -> None:
    fill(store, running_session, _LIMIT - 1)

    assert add(client, running_session).status_code == 201
    assert len(listed(client, running_session)) == _LIMIT


def test_a_script_beyond_the_limit_is_refused(client: FlaskClient, running_session: str, store: Store) -> None:
    fill(store, running_session, _LIMIT)
    answer = add(client, running_session)

    assert refusal(answer) == (409, "script_limit_reached")
    assert answer.get_json()["error"]["details"] == {"limit": _LIMIT}
    assert len(listed(client, running_session)) == _LIMIT


def test_a_removal_makes_room_for_another_script(client: FlaskClient, running_session: str, store: Store) -> None:
    fill(store, running_session, _LIMIT)
    client.delete(path(running_session, listed(client, running_session)[0]["id"]))

    assert add(client, running_session).status_code == 201


@pytest.mark.parametrize("character", ["x", "ü", "日", "😀"])
def test_a_script_of_as_many_bytes_as_allowed_is_taken(
    client: FlaskClient, running_session: str, character: str
) -> None:
    answer = add(client, running_session, of_bytes(_BYTES, character))

    assert (answer.status_code, answer.get_json()["bytes"]) == (201, _BYTES)


@pytest.mark.parametrize("character", ["x", "ü", "日", "😀"])
def test_a_script_of_one_byte_more_is_refused(client: FlaskClient, running_session: str, character: str) -> None:
    answer = add(client, running_session, of_bytes(_BYTES + 1, character))

    assert refusal(answer) == (413, "script_too_large")
    assert answer.get_json()["error"]["details"] == {"field": "source", "bytes": _BYTES + 1, "limit": _BYTES}
    assert listed(client, running_session) == []


def test_a_script_that_does_not_parse_is_refused_with_its_position(client: FlaskClient, running_session: str) -> None:
    answer = add(client, running_session, "let a = 1;\nlet b = ;")

    assert refusal(answer) == (400, "script_syntax_error")
    assert answer.get_json()["error"]["details"] == {"field": "source", "line": 2, "column": 9}
    assert listed(client, running_session) == []


@pytest.mark.parametrize("body", [{}, {"source": ""}, {"source": 5}, {"source": None}, {"sauce": "1"}])
def test_a_body_without_a_source_is_refused(client: FlaskClient, running_session: str, body: Json) -> None:
    assert refusal(client.post(path(running_session), json=body)) == (400, "invalid_request")


@pytest.mark.parametrize("source", ["let a = ;", "//" + "x" * _BYTES, 5])
def test_a_session_is_as_it_was_after_a_refusal(client: FlaskClient, running_session: str, source: Any) -> None:
    before = add(client, running_session).get_json()
    add(client, running_session, source)

    assert client.get(f"/api/sessions/{running_session}").get_json()["state"] == "running"
    assert listed(client, running_session) == [before]
    assert add(client, running_session).status_code == 201


def test_a_session_may_be_created_with_scripts(client: FlaskClient) -> None:
    session = client.post("/api/sessions", json={"scripts": ["window.a = 1", "window.b = 2"]}).get_json()["session"]

    assert session["scripts"] == 2
    assert [script["source"] for script in listed(client, session["id"])] == ["window.a = 1", "window.b = 2"]


def test_the_scripts_of_a_creation_are_kept_in_one_place(client: FlaskClient, store: Store) -> None:
    session = client.post("/api/sessions", json={"scripts": ["1"], "locale": "de-DE"}).get_json()["session"]

    assert store.sessions.options(session["id"]) == '{"locale":"de-DE"}'


def test_a_session_may_be_created_with_as_many_scripts_as_it_may_have(client: FlaskClient) -> None:
    assert client.post("/api/sessions", json={"scripts": ["1"] * _LIMIT}).status_code == 202


@pytest.mark.parametrize(
    ("scripts", "status", "error"),
    [
        (["1"] * (_LIMIT + 1), 409, ("script_limit_reached", "scripts")),
        (["1", of_bytes(_BYTES + 1, "日")], 413, ("script_too_large", "scripts[1]")),
        (["1", "2", "let a = ;"], 400, ("script_syntax_error", "scripts[2]")),
        (["1", ""], 400, ("invalid_request", "scripts[1]")),
        (["1", 2], 400, ("invalid_request", "scripts[1]")),
    ],
    ids=["limit", "bytes", "syntax", "empty", "type"],
)
def test_a_creation_with_a_script_that_is_refused_says_which(
    client: FlaskClient, scripts: list[Any], status: int, error: tuple[str, str]
) -> None:
    answer = client.post("/api/sessions", json={"scripts": scripts})
    found = answer.get_json()["error"]

    assert (answer.status_code, (found["code"], found["details"]["field"])) == (status, error)


@pytest.mark.parametrize(
    "scripts",
    [["1"] * (_LIMIT + 1), ["//" + "x" * _BYTES], ["let a = ;"], [2]],
    ids=["limit", "bytes", "syntax", "type"],
)
def test_a_creation_with_a_script_that_is_refused_makes_nothing(
    client: FlaskClient, store: Store, queue: RecordingQueue, scripts: list[Any]
) -> None:
    before = set(store.client.scan_iter("*"))
    client.post("/api/sessions", json={"scripts": scripts})

    assert (set(store.client.scan_iter("*")), queue.sent) == (before, [])
