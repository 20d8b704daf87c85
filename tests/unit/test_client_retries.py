import json
from collections.abc import Mapping
from typing import Any

import pytest

from fleet_client.errors import (
    ConnectionFailed,
    FleetApiError,
    FleetClientError,
    NotTheApi,
    RequestRefused,
    Unavailable,
)
from fleet_client.exchange import Reply, Request, Send
from fleet_client.retries import Deadline, Retries, answered

_GOOD = Reply(200, {}, b"{}")


def _refusal(status: int, code: str, **headers: str) -> Reply:
    body = {"error": {"code": code, "message": "a sentence", "details": {}, "request_id": "req_1"}}
    named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps(body).encode())


def _pauses(
    *replies: Reply | FleetClientError, request: Request | None = None, retries: Retries | None = None, **more: Any
) -> list[float]:
    """Before each request, until the good answer. Raises what the call raises."""
    call = answered(request or Request("GET", "/"), retries or Retries(), **more)
    pauses = []
    send: Send = next(call)
    try:
        for reply in replies:
            pauses.append(send.after_seconds)
            send = call.throw(reply) if isinstance(reply, FleetClientError) else call.send(reply)
    except StopIteration:
        return pauses
    raise AssertionError("it wants to send more requests than there are replies")


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "no_workers"), (503, "queue_full")])
def test_what_the_fleet_cannot_do_now_is_asked_again_and_never_before_retry_after(status: int, code: str) -> None:
    first, second = _pauses(_refusal(status, code, retry_after="12"), _GOOD)

    assert first == 0
    assert 12 <= second <= 13


def test_a_connection_that_fails_is_tried_again_with_ever_longer_pauses() -> None:
    _, *pauses = _pauses(*[ConnectionFailed("broke")] * 4, _GOOD)

    for pause, spread in zip(pauses, (0.5, 1, 2, 4), strict=True):
        assert spread / 2 <= pause <= spread


def test_a_proxy_that_does_not_reach_the_api_is_a_connection_that_fails() -> None:
    assert len(_pauses(Reply(502, {}, b"<h1>Bad gateway</h1>"), _GOOD)) == 2


def test_a_first_request_that_is_still_being_accepted_is_waited_for() -> None:
    assert len(_pauses(_refusal(409, "idempotency_in_progress"), _GOOD)) == 2


def test_what_would_be_refused_again_is_not_sent_again() -> None:
    with pytest.raises(RequestRefused) as refused:
        _pauses(_refusal(400, "invalid_request"))

    assert (refused.value.code, refused.value.message, refused.value.request_id) == (
        "invalid_request",
        "a sentence",
        "req_1",
    )


@pytest.mark.parametrize("failure", [ConnectionFailed("broke"), _refusal(503, "no_workers", retry_after="1")])
def test_what_would_do_its_work_twice_is_not_sent_again(failure: Reply | FleetClientError) -> None:
    with pytest.raises(FleetClientError):
        _pauses(failure, request=Request("POST", "/", repeatable=False))


def test_there_are_no_more_retries_than_allowed() -> None:
    with pytest.raises(ConnectionFailed):
        _pauses(*[ConnectionFailed("broke")] * 3, retries=Retries(times=2))


def test_all_pauses_together_are_bounded() -> None:
    with pytest.raises(Unavailable) as refused:
        _pauses(*[_refusal(503, "no_workers", retry_after="30")] * 3, retries=Retries(seconds=70))

    assert refused.value.retry_after == 30


def test_no_pause_reaches_beyond_the_callers_time() -> None:
    with pytest.raises(Unavailable):
        _pauses(_refusal(429, "rate_limited", retry_after="30"), deadline=Deadline(10))


def test_a_date_in_retry_after_counts_from_the_answers_own() -> None:
    headers = {"date": "Sun, 22 Nov 2026 10:00:00 GMT", "retry_after": "Sun, 22 Nov 2026 10:00:40 GMT"}

    assert 40 <= _pauses(_refusal(503, "no_workers", **headers), _GOOD)[1] <= 41


@pytest.mark.parametrize("body", [b"<h1>Hello</h1>", b"[]", b'{"error": "no"}'])
def test_an_error_of_somebody_elses_server_is_told_as_such(body: bytes) -> None:
    with pytest.raises(NotTheApi):
        _pauses(Reply(404, {}, body))


def test_an_error_without_an_id_has_that_of_the_answers_header() -> None:
    body = {"error": {"code": "queue_full", "message": "m"}}
    error = Reply(429, {"x-request-id": "req_2"}, json.dumps(body).encode()).error()

    assert isinstance(error, FleetApiError)
    assert error.request_id == "req_2"
