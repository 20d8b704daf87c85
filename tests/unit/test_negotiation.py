from typing import Any

import pytest
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from app.routes.negotiation import wanted_media_type, with_wanted_output
from fleet.errors import NotAcceptable
from fleet.models.capture import OneShotCaptureRequest
from fleet.models.outputs import Html, Output, Pdf, Screenshot

_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


def accept(header: str) -> MIMEAccept:
    return parse_accept_header(header, MIMEAccept)


def a_capture(*kinds: str, **fields: Any) -> OneShotCaptureRequest:
    outputs = {"outputs": [{"kind": kind} for kind in kinds]} if kinds else {}
    return OneShotCaptureRequest.model_validate({"html": "<p>", **outputs, **fields})


@pytest.mark.parametrize("header", ["", "*/*", "application/json", "application/*", "image/png;q=0.5, */*"])
def test_who_does_not_ask_for_an_output_gets_json(header: str) -> None:
    assert wanted_media_type(a_capture(), accept(header)) is None


@pytest.mark.parametrize(
    ("kinds", "header", "media_type"),
    [
        (["screenshot"], "image/png", "image/png"),
        (["screenshot"], "image/*", "image/png"),
        (["screenshot", "pdf"], "application/pdf", "application/pdf"),
        (["screenshot", "pdf"], "image/png;q=0.5, application/pdf", "application/pdf"),
        (["html"], _BROWSER, "text/html"),
        (["pdf"], "application/json;q=0, */*", "application/pdf"),
    ],
)
def test_who_asks_for_an_output_gets_it(kinds: list[str], header: str, media_type: str) -> None:
    assert wanted_media_type(a_capture(*kinds), accept(header)) == media_type


@pytest.mark.parametrize("header", ["image/gif", "image/jpeg", "text/plain", "application/json;q=0"])
def test_who_takes_nothing_that_the_capture_yields_is_told_what_it_yields(header: str) -> None:
    with pytest.raises(NotAcceptable, match="application/json, application/pdf"):
        wanted_media_type(a_capture("pdf"), accept(header))


@pytest.mark.parametrize(
    ("header", "output"),
    [
        ("image/png", Screenshot(kind="screenshot")),
        ("image/jpeg", Screenshot(kind="screenshot", type="jpeg")),
        ("image/webp", Screenshot(kind="screenshot", type="webp")),
        ("application/pdf", Pdf(kind="pdf")),
        ("text/html", Html(kind="html")),
    ],
)
def test_a_capture_without_outputs_takes_the_one_that_is_asked_for(header: str, output: Output) -> None:
    assert with_wanted_output(a_capture(), accept(header)).outputs == [output]


def test_a_capture_with_outputs_keeps_them() -> None:
    assert with_wanted_output(a_capture("html"), accept("application/pdf")).outputs == [Html(kind="html")]


@pytest.mark.parametrize("header", ["", "*/*", "application/json", "image/gif"])
def test_a_capture_without_outputs_is_left_alone_unless_one_is_asked_for(header: str) -> None:
    capture = a_capture()

    assert with_wanted_output(capture, accept(header)) == capture


def test_the_rest_of_a_capture_survives_the_change_of_its_outputs() -> None:
    capture = a_capture(timeout=500, context={"locale": "de-DE"})
    changed = with_wanted_output(capture, accept("application/pdf"))

    assert changed.model_dump(exclude={"outputs"}) == capture.model_dump(exclude={"outputs"})


def test_a_capture_with_the_wanted_output_can_be_read_by_a_worker() -> None:
    changed = with_wanted_output(a_capture(), accept("application/pdf"))

    assert OneShotCaptureRequest.model_validate_json(changed.model_dump_json(exclude_unset=True)) == changed
