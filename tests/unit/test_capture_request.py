import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.outputs import Screenshot

_URL = "http://a.example/"


def test_a_capture_without_outputs_yields_one_png() -> None:
    assert CaptureRequest.model_validate({"url": _URL}).outputs == [Screenshot(kind="screenshot", type="png")]


def test_a_capture_in_a_session_may_take_the_page_as_it_stands() -> None:
    request = CaptureRequest.model_validate({})

    assert (request.url, request.html) == (None, None)


def test_a_capture_in_a_fresh_context_needs_a_page() -> None:
    with pytest.raises(ValidationError, match="give url or html: a fresh context has no page yet"):
        OneShotCaptureRequest.model_validate({})


@pytest.mark.parametrize("model", [CaptureRequest, OneShotCaptureRequest])
def test_url_and_html_contradict_each_other(model: type[CaptureRequest]) -> None:
    with pytest.raises(ValidationError, match="give url or html, not both"):
        model.model_validate({"url": _URL, "html": "<p>"})


def test_an_empty_document_is_a_document() -> None:
    assert OneShotCaptureRequest.model_validate({"html": ""}).html == ""


@pytest.mark.parametrize("field", ["url", "referer"])
def test_no_url_escapes_the_url_policy(field: str) -> None:
    fields: dict[str, Any] = {"url": "file:///x"} if field == "url" else {"goto": {"referer": "file:///x"}}
    with pytest.raises(ValidationError) as refused:
        CaptureRequest.model_validate(fields)

    assert [problem["type"] for problem in refused.value.errors()] == ["invalid_url"]


@pytest.mark.parametrize(
    ("fields", "out_of_range"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": 300_001}, "timeout"),
        ({"wait_for_timeout": -1}, "wait_for_timeout"),
        ({"wait_for_timeout": 60_001}, "wait_for_timeout"),
        ({"goto": {"timeout": 0}}, "goto"),
        ({"goto": {"timeout": 300_001}}, "goto"),
        ({"wait_for_selector": {"selector": "p", "timeout": 300_001}}, "wait_for_selector"),
        ({"wait_for_selector": {"selector": ""}}, "wait_for_selector"),
        ({"wait_for_selector": {"selector": "p" * 4097}}, "wait_for_selector"),
        ({"wait_for_function": {"expression": ""}}, "wait_for_function"),
        ({"wait_for_function": {"expression": "1", "timeout": 300_001}}, "wait_for_function"),
        ({"scroll_page": {"step": 9}}, "scroll_page"),
        ({"scroll_page": {"delay": 5_001}}, "scroll_page"),
        ({"scroll_page": {"max_height": 1_000_001}}, "scroll_page"),
        ({"scroll_page": {"max_time": 60_001}}, "scroll_page"),
        ({"outputs": []}, "outputs"),
        ({"outputs": [{"kind": "html"}] * 21}, "outputs"),
        ({"html": "x" * (8 * 1024 * 1024 + 1)}, "html"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_everything_has_a_bound(fields: dict[str, Any], out_of_range: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CaptureRequest.model_validate(fields)

    assert [problem["loc"][0] for problem in refused.value.errors()] == [out_of_range]


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": 1},
        {"timeout": 300_000},
        {"wait_for_timeout": 0},
        {"wait_for_timeout": 60_000},
        {"outputs": [{"kind": "html"}] * 20},
        {"wait_for_selector": {"selector": "p" * 4096}},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_a_bound_itself_is_allowed(fields: dict[str, Any]) -> None:
    kept = CaptureRequest.model_validate(fields).model_dump(exclude_unset=True)

    assert kept == fields


@given(
    x=st.floats(min_value=0, allow_infinity=False),
    width=st.floats(min_value=0, exclude_min=True, max_value=16_384),
    html=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_a_worker_reads_what_the_api_accepted(x: float, width: float, html: str) -> None:
    accepted = OneShotCaptureRequest.model_validate(
        {
            "html": html,
            "outputs": [{"kind": "screenshot", "clip": {"x": x, "y": 0, "width": width, "height": 1}}],
            "context": {"locale": "de-DE", "storage_state": {"cookies": [{"name": "a", "value": html}]}},
        }
    )

    assert OneShotCaptureRequest.model_validate_json(accepted.model_dump_json(exclude_unset=True)) == accepted


@pytest.mark.parametrize(
    "fields",
    [
        {"outputs": [{"kind": "screenshot", "clip": {"x": math.inf, "y": 0, "width": 1, "height": 1}}]},
        {"context": {"geolocation": {"latitude": 0, "longitude": 0, "accuracy": math.inf}}},
        {"context": {"storage_state": {"cookies": [{"name": "a", "value": "b", "expires": math.nan}]}}},
        {"context": {"storage_state": {"origins": [{"origin": _URL, "localStorage": math.inf}]}}},
    ],
    ids=["clip", "accuracy", "expires", "origins"],
)
def test_a_number_that_json_cannot_carry_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OneShotCaptureRequest.model_validate({"html": "", **fields})
