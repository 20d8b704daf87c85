from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import InternalError, OutputTooLarge, SelectorNotFound
from workers.link import protocol

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | _TEXT
_VALUES = st.recursive(
    _SCALARS | st.binary(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4)
)


def travelled(message: protocol.Message) -> protocol.Message:
    """The message as the other side decodes it from a frame."""
    frame = protocol.encode(message)
    (length,) = protocol.LENGTH.unpack(frame[: protocol.LENGTH.size])
    body = frame[protocol.LENGTH.size :]
    assert length == len(body)
    return protocol.decode(body)


@given(message=st.dictionaries(_TEXT, _VALUES, max_size=4))
def test_a_message_arrives_as_it_was_sent(message: dict[str, Any]) -> None:
    assert travelled(message) == message


def test_bytes_arrive_as_bytes() -> None:
    content = bytes(range(256))

    assert travelled(protocol.success({"content": content}))["result"]["content"] == content


def test_a_request_names_its_command_its_parameters_and_its_deadline() -> None:
    assert travelled(protocol.request("capture", {"job_id": "job_1"}, 2.5)) == {
        "command": "capture",
        "params": {"job_id": "job_1"},
        "timeout_seconds": 2.5,
    }


def test_the_result_of_a_success_is_what_was_sent() -> None:
    assert protocol.result_of(travelled(protocol.success({"closed": True}))) == {"closed": True}


def test_an_error_is_raised_on_the_other_side_as_what_it_was() -> None:
    sent = protocol.failure(SelectorNotFound("Nothing matches.", selector="#a", tried=3))
    with pytest.raises(SelectorNotFound, match="Nothing matches") as raised:
        protocol.result_of(travelled(sent))

    assert raised.value.details == {"selector": "#a", "tried": 3}


def test_an_error_of_an_unknown_code_is_raised_as_an_internal_error() -> None:
    answer = {"error": {"code": "code_of_tomorrow", "message": "what failed", "details": {}}}
    with pytest.raises(InternalError, match="what failed"):
        protocol.result_of(travelled(answer))


def test_a_frame_that_is_too_large_is_refused_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "FRAME_MAX_BYTES", 1024)
    with pytest.raises(OutputTooLarge, match="Ask for fewer"):
        protocol.encode(protocol.success({"content": bytes(1024)}))


def test_the_length_of_the_largest_frame_fits_into_its_header() -> None:
    assert protocol.LENGTH.unpack(protocol.LENGTH.pack(protocol.FRAME_MAX_BYTES)) == (protocol.FRAME_MAX_BYTES,)
