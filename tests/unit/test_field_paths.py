from typing import Any

import pytest
from pydantic import ValidationError

from app.errors import raise_invalid
from fleet.errors import InvalidRequest, InvalidUrl, RequestError
from fleet.models.base import Input
from fleet.models.capture import OneShotCaptureRequest
from fleet.models.session import SessionRequest


def refusal(fields: dict[str, Any], model: type[Input] = OneShotCaptureRequest) -> RequestError:
    """What a client is told about these fields."""
    with pytest.raises(ValidationError) as found:
        model.model_validate(fields)
    with pytest.raises(RequestError) as refused:
        raise_invalid(found.value)
    return refused.value


def screenshot(**options: Any) -> dict[str, Any]:
    return {"html": "", "outputs": [{"kind": "html"}, {"kind": "screenshot", **options}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"html": "", "timeout": 0}, "timeout"),
        ({"html": "", "tiemout": 1}, "tiemout"),
        ({"html": "", "goto": {"timeout": 0}}, "goto.timeout"),
        ({"html": "", "outputs": "png"}, "outputs"),
        ({"html": "", "outputs": ["png"]}, "outputs[0]"),
        ({"html": "", "outputs": [{}]}, "outputs[0].kind"),
        ({"html": "", "outputs": [{"kind": "gif"}]}, "outputs[0].kind"),
        (screenshot(full_page="yes"), "outputs[1].full_page"),
        (screenshot(fullPage="yes"), "outputs[1].full_page"),
        (screenshot(fullPge=True), "outputs[1].fullPge"),
        (screenshot(full_page=True, fullPage=True), "outputs[1].full_page"),
        (screenshot(clip={"x": 0, "y": 0, "width": 0, "height": 1}), "outputs[1].clip.width"),
        (screenshot(clip={"x": 0, "y": 0, "width": 1}), "outputs[1].clip.height"),
        ({"html": "", "context": {"viewport": {"width": "wide", "height": 1}}}, "context.viewport.width"),
        (
            {"html": "", "context": {"storage_state": {"cookies": [{"name": "a"}]}}},
            "context.storage_state.cookies[0].value",
        ),
        ({"html": "", "actions": [{"kind": "tap"}]}, "actions[0].kind"),
        ({"html": "", "actions": [{"kind": "click"}]}, "actions[0].selector"),
        ({"html": "", "actions": [{"kind": "click", "selector": 1}]}, "actions[0].selector"),
        ({"html": "", "actions": [{"kind": "click", "selector": "a", "clickcount": 2}]}, "actions[0].clickcount"),
        ({}, "url"),
        ({"url": "http://a.example/", "html": ""}, "url"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_refusal_names_the_field_by_its_path(fields: dict[str, Any], path: str) -> None:
    assert refusal(fields).details["field"] == path


def test_the_message_begins_with_the_path() -> None:
    assert refusal(screenshot(full_page="yes")).message.startswith("outputs[1].full_page: ")


@pytest.mark.parametrize("name", ["html", "pdf", "screenshot"])
def test_a_name_that_is_also_a_kind_of_output_stays_in_the_path(name: str) -> None:
    assert refusal({"metadata": {name: 1}}, SessionRequest).details["field"] == f"metadata.{name}"


def test_every_finding_is_in_the_details() -> None:
    error = refusal({"html": "", "timeout": 0, "goto": {"timeout": 0, "wait_until": "soon"}})

    assert {found["field"] for found in error.details["errors"]} == {"timeout", "goto.timeout", "goto.wait_until"}


def test_at_most_twenty_findings_are_listed() -> None:
    error = refusal({"permissions": [1] * 32}, SessionRequest)

    assert len(error.details["errors"]) == 20


def test_a_refused_url_has_its_own_code() -> None:
    error = refusal({"url": "file:///etc/passwd"})

    assert isinstance(error, InvalidUrl)
    assert error.message == "url: The fleet opens http: and https: URLs, not 'file:'."


def test_any_other_refusal_is_an_invalid_request() -> None:
    assert type(refusal({"html": 5})) is InvalidRequest


def test_a_refused_value_is_not_repeated() -> None:
    error = refusal({"http_credentials": {"username": "a", "password": ["hunter2"]}}, SessionRequest)

    assert "hunter2" not in f"{error.message} {error.details}"
