from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.doubles import RecordingQueue

_URL = "http://a.example/"


def screenshot(**options: Any) -> dict[str, Any]:
    return {"html": "", "outputs": [{"kind": "screenshot", **options}]}


_CAPTURES: list[tuple[dict[str, Any], str, str]] = [
    # body, code, field that is named
    ({}, "invalid_request", "url"),
    ({"url": _URL, "html": ""}, "invalid_request", "url"),
    ({"html": "", "fullPage": True}, "invalid_request", "fullPage"),
    ({"html": "", "otuputs": []}, "invalid_request", "otuputs"),
    ({"html": 5}, "invalid_request", "html"),
    ({"url": 5}, "invalid_request", "url"),
    ({"url": "file:///etc/passwd"}, "invalid_url", "url"),
    ({"url": "chrome://settings"}, "invalid_url", "url"),
    ({"url": "javascript:alert(1)"}, "invalid_url", "url"),
    ({"url": "data:text/html,x"}, "invalid_url", "url"),
    ({"url": "a.example"}, "invalid_url", "url"),
    ({"url": "http://user:secret@a.example/"}, "invalid_url", "url"),
    ({"url": "http://a.example:99999/"}, "invalid_url", "url"),
    ({"url": _URL + "x" * 16_384}, "invalid_url", "url"),
    ({"url": _URL, "goto": {"referer": "file:///x"}}, "invalid_url", "goto.referer"),
    ({"html": "", "goto": {"wait_until": "idle"}}, "invalid_request", "goto.wait_until"),
    ({"html": "", "goto": {"timeout": 300_001}}, "invalid_request", "goto.timeout"),
    ({"html": "", "goto": {"wait": "load"}}, "invalid_request", "goto.wait"),
    ({"html": "", "timeout": 0}, "invalid_request", "timeout"),
    ({"html": "", "timeout": "1000"}, "invalid_request", "timeout"),
    ({"html": "", "wait_for_timeout": 60_001}, "invalid_request", "wait_for_timeout"),
    ({"html": "", "wait_for_selector": "p"}, "invalid_request", "wait_for_selector"),
    ({"html": "", "wait_for_selector": {"selector": ""}}, "invalid_request", "wait_for_selector.selector"),
    ({"html": "", "outputs": []}, "invalid_request", "outputs"),
    ({"html": "", "outputs": {"kind": "pdf"}}, "invalid_request", "outputs"),
    ({"html": "", "outputs": [{"kind": "gif"}]}, "invalid_request", "outputs[0].kind"),
    ({"html": "", "outputs": [{"kind": "html"}] * 21}, "invalid_request", "outputs"),
    (screenshot(fullPge=True), "invalid_request", "outputs[0].fullPge"),
    (screenshot(full_page="yes"), "invalid_request", "outputs[0].full_page"),
    (screenshot(full_page=True, fullPage=True), "invalid_request", "outputs[0].full_page"),
    (screenshot(full_page=True, selector="p"), "invalid_request", "outputs[0]"),
    (screenshot(quality=80), "invalid_request", "outputs[0]"),
    (screenshot(type="jpeg", quality=101), "invalid_request", "outputs[0].quality"),
    (screenshot(clip={"x": 0, "y": 0, "width": 0, "height": 1}), "invalid_request", "outputs[0].clip.width"),
    ({"html": "", "context": {"viewport": {"width": 0, "height": 1}}}, "invalid_request", "context.viewport.width"),
    ({"html": "", "context": {"colorScheme": "sepia"}}, "invalid_request", "context.color_scheme"),
    ({"html": "", "context": {"ttl": 60}}, "invalid_request", "context.ttl"),
    ({"html": "", "context": {"device": "iPhon 15"}}, "invalid_request", "context.device"),
]
_SESSIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"ttl": 0}, "invalid_request", "ttl"),
    ({"ttl": 86_401}, "invalid_request", "ttl"),
    ({"ttl": "60"}, "invalid_request", "ttl"),
    ({"max_lifetime": 0}, "invalid_request", "max_lifetime"),
    ({"url": "file:///etc/passwd"}, "invalid_url", "url"),
    ({"metadata": {"count": 1}}, "invalid_request", "metadata.count"),
    ({"metadata": {str(number): "" for number in range(33)}}, "invalid_request", "metadata"),
    ({"userAgnet": "x"}, "invalid_request", "userAgnet"),
    ({"device": "iPhon 15"}, "invalid_request", "device"),
    ({"isMobile": 1}, "invalid_request", "is_mobile"),
    ({"outputs": []}, "invalid_request", "outputs"),
]
_QUERIES = [
    ("get", "/api/jobs?limit=0", "limit"),
    ("get", "/api/jobs?limit=201", "limit"),
    ("get", "/api/jobs?limit=many", "limit"),
    ("get", "/api/jobs?cursor=elsewhere", "cursor"),
    ("get", "/api/jobs?cursor=" + "1" * 65, "cursor"),
    ("get", "/api/jobs?state=queued&page=2", "state"),
    ("get", "/api/jobs?cursor=nan", "cursor"),
    ("get", "/api/sessions?cursor=inf", "cursor"),
    ("get", "/api/sessions?cursor=elsewhere", "cursor"),
    ("get", "/api/sessions?limit=-1", "limit"),
    ("get", "/api/jobs/job_1?wait=-1", "wait"),
    ("get", "/api/jobs/job_1?wait=soon", "wait"),
    ("post", "/api/captures?wait=331", "wait"),
    ("post", "/api/captures?wait=nan", "wait"),
    ("post", "/api/captures?wait=inf", "wait"),
    ("post", "/api/sessions?wait=331", "wait"),
    ("delete", "/api/sessions/ses_1?wait=331", "wait"),
    ("post", "/api/sessions/ses_1/captures?wait=331", "wait"),
]


@pytest.mark.parametrize(("body", "code", "field"), _CAPTURES, ids=lambda part: str(part)[:50])
def test_a_bad_capture_is_refused_by_the_name_of_its_field(
    client: FlaskClient, body: dict[str, Any], code: str, field: str
) -> None:
    answer = client.post("/api/captures", json=body)
    error = answer.get_json()["error"]

    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, code, field)
    assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize(("body", "code", "field"), _SESSIONS, ids=lambda part: str(part)[:50])
def test_a_bad_session_is_refused_by_the_name_of_its_field(
    client: FlaskClient, body: dict[str, Any], code: str, field: str
) -> None:
    answer = client.post("/api/sessions", json=body)
    error = answer.get_json()["error"]

    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, code, field)
    assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize(("method", "path", "field"), _QUERIES)
def test_a_bad_parameter_is_refused_by_its_name(client: FlaskClient, method: str, path: str, field: str) -> None:
    answer = client.open(path, method=method, json={"html": ""} if method == "post" else None)
    error = answer.get_json()["error"]

    assert (answer.status_code, error["code"], error["details"]["field"]) == (400, "invalid_request", field)
    assert error["message"].startswith(f"{field}: ")


def test_what_was_refused_is_not_queued(client: FlaskClient, queue: RecordingQueue) -> None:
    client.post("/api/captures", json={"html": 5})
    client.post("/api/sessions", json={"ttl": 0})

    assert queue.sent == []
    assert client.get("/api/jobs").get_json()["jobs"] == []


@pytest.mark.parametrize("body", ['{"html": "\\ud800"}', '{"html": "", "\\udfff": 1}', '{"html": "\\ude00\\ud83d"}'])
def test_half_a_character_is_refused(client: FlaskClient, body: str) -> None:
    answer = client.post("/api/captures", data=body, content_type="application/json")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "invalid_json")


def test_an_escaped_character_of_two_halves_is_taken(client: FlaskClient) -> None:
    body = '{"html": "\\ud83d\\ude00"}'

    assert client.post("/api/captures", data=body, content_type="application/json").status_code == 202


@pytest.mark.parametrize("levels", [300, 900])
def test_a_body_that_is_nested_too_deeply_is_refused(client: FlaskClient, levels: int) -> None:
    nested = "[" * levels + "]" * levels
    body = f'{{"html": "", "context": {{"storage_state": {{"origins": [{{"a": {nested}}}]}}}}}}'

    assert client.post("/api/captures", data=body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"": "x"}, {"a": "x\r\ny: z"}, {"\ud800": "x"}], ids=str)
def test_a_header_that_cannot_be_sent_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/api/captures", json={"html": "", "context": {"extra_http_headers": headers}})

    assert answer.status_code == 400
