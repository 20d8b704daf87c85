"""No secret leaves in a log line, in whatever shape it comes."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from fleet.redaction import MASK, NoSecret, is_secret_name, redact, redact_text

_SECRET = "s3cr3t-VALUE.42"  # what must not come through
_OBJECTS: list[Any] = [
    {"Cookie": _SECRET},
    {"set-cookie": [_SECRET]},
    {"Authorization": f"Bearer {_SECRET}"},
    {"X-Api-Key": _SECRET},
    {"apiKey": _SECRET},
    {"headers": {"proxy-authorization": _SECRET}},
    {"headers": [{"name": "Cookie", "value": _SECRET}]},
    {"cookies": [{"name": "sid", "value": _SECRET}]},
    {"storage_state": {"origins": [{"localStorage": [{"name": "a", "value": _SECRET}]}]}},
    {"storageState": _SECRET},
    {"http_credentials": {"username": "u", "password": _SECRET}},
    {"httpCredentials": {"username": _SECRET}},
    {"request": {"context": {"proxy": {"password": _SECRET}}}},
    {"access_token": _SECRET},
    {"view_token": _SECRET},
    {"FLEET_FLOWER_AUTH": _SECRET},
    {"FLEET_SECRET_KEY": _SECRET},
    {"FLEET_API_KEYS": f"ci:{_SECRET}"},
    {"api_keys": [_SECRET]},
    {"FLEET_WEBHOOK_SECRETS": _SECRET},
    {"password": _SECRET.encode()},
    [[[{"password": _SECRET}]]],
    ({"jwt": _SECRET},),
]
_TEXTS = [
    f"https://user:{_SECRET}@example.com/path",
    f"connecting to redis://:{_SECRET}@10.0.0.1:6379/0 now",
    f"https://{_SECRET}@example.com",
    f"https://user:p@{_SECRET}@example.com/",
    f"https://example.com/?a=1&token={_SECRET}&b=2",
    f"https://example.com/?api_key={_SECRET}#top",
    f"https://example.com/cb#access_token={_SECRET}",
    f"GET /api/sessions/ses_a/stream?frames=1&view={_SECRET} 101",
    f"https://example.com/?code={_SECRET}",
    f"https://example.com/?X-Amz-Signature={_SECRET}",
    f"/view/{_SECRET}",
    f"http://127.0.0.1:8080/view/{_SECRET}?x=1",
    f"Authorization: Bearer {_SECRET}",
    f"sent bearer {_SECRET} along",
    "Basic dXNlcjpzM2NyM3Q=",
    f"Cookie: a=1; sid={_SECRET}; b=2",
    f"set-cookie: sid={_SECRET}; HttpOnly",
    f"{{'http_credentials': {{'username': 'u', 'password': '{_SECRET}'}}}}",
    f'{{"storage_state": {{"cookies": [{{"name": "sid", "value": "{_SECRET}"}}]}}}}',
    f"Proxy(server='http://p', password='{_SECRET}')",
    f"password={_SECRET}",
    f"ValueError: password={_SECRET}",
    f'password="{_SECRET}, and more of {_SECRET}',
    f"secret_key: {_SECRET}",
    f"FLEET_API_KEYS=ci:0123456789abcdef,ops:{_SECRET}:admin",
    f"Settings(api_keys='ci:0123456789abcdef,ops:{_SECRET}:admin')",
    f"FLEET_WEBHOOK_SECRETS=0123456789abcdef,{_SECRET}",
    f"Settings(webhook_secrets='0123456789abcdef,{_SECRET}')",
    f"fleet_login_token={_SECRET}",
    f"bearer !{{}}'{_SECRET}",
]


@pytest.mark.parametrize("value", _OBJECTS, ids=str)
def test_a_secret_is_found_by_the_name_of_its_field(value: Any) -> None:
    shown = json.dumps(redact(value))
    assert _SECRET not in shown
    assert MASK in shown


@pytest.mark.parametrize("text", _TEXTS)
def test_a_secret_is_found_in_text(text: str) -> None:
    shown = redact_text(text)
    assert _SECRET not in shown
    assert "dXNlcjpzM2NyM3Q=" not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text",
    [
        "job ended",
        "https://example.com/a?page=2&sort=asc#top",
        "worker-1@host does not renew its lease",
        "fleet:session:{ses_abc}: restored in 12 ms",
        "Listening at: http://127.0.0.1:8080 (12)",
        "the basic idea",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize("name", ["session", "session_id", "key", "keys", "author", "sessions", "tokenizer", "status"])
def test_names_of_plain_fields_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_what_is_said_to_be_no_secret_stays_whatever_its_field_is_called() -> None:
    assert redact({"api_key": NoSecret("ci")}) == {"api_key": "ci"}


def test_a_field_that_is_empty_says_so() -> None:
    assert redact({"storage_state": None, "cookies": []}) == {"storage_state": None, "cookies": []}


def test_an_object_is_written_out_without_its_secrets() -> None:
    @dataclass
    class Login:
        user: str
        password: str

    shown = redact(Login("u", _SECRET))
    assert "Login(user='u'" in shown
    assert _SECRET not in shown


def test_an_object_that_cannot_be_written_out_is_named() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    assert redact(Hostile()) == "Hostile"


def test_what_is_deep_long_or_much_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert len(json.dumps(redact(endless))) < 100
    assert len(redact("x" * 1_000_000)) < 20_000
    assert len(redact({str(n): n for n in range(10_000)})) == 100


@pytest.mark.parametrize("part", ["://", "a=", "?a=", "/view/", "cookie:", "bearer ", "'", "password=", "@", "-a"])
def test_no_text_takes_long(part: str) -> None:
    """A pattern that looks back over what it has seen would not end within the test's own limit."""
    assert redact_text(part * 200_000)
