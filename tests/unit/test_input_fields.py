from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from fleet.models.base import Input
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.context import ContextOptions
from fleet.models.session import SessionRequest


def input_models() -> Iterator[type[Input]]:
    pending: list[type[Input]] = [*Input.__subclasses__()]
    while pending:
        model = pending.pop()
        pending.extend(model.__subclasses__())
        yield model


_TWO_WORD_FIELDS = [
    (model, name)
    for model in sorted(set(input_models()), key=lambda model: model.__name__)
    for name in model.model_fields
    if to_camel(name) != name
]


def _problems(model: type[Input], fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Type and field of each finding."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(fields)
    return [
        (problem["type"], str(problem.get("ctx", {}).get("field") or problem["loc"][0]))
        for problem in refused.value.errors()
    ]


@pytest.mark.parametrize(("model", "name"), _TWO_WORD_FIELDS, ids=lambda part: getattr(part, "__name__", part))
def test_every_field_has_a_camel_case_spelling(model: type[Input], name: str) -> None:
    """Seen by a value that no field takes: it is refused as a value of the field, not as an unknown name."""
    problems = _problems(model, {to_camel(name): object()})

    assert ("unknown_field", to_camel(name)) not in problems
    assert name in [field for _, field in problems]


def test_camel_case_reaches_outputs_within_a_list() -> None:
    request = CaptureRequest.model_validate({"outputs": [{"kind": "screenshot", "fullPage": True}]})

    assert request == CaptureRequest.model_validate({"outputs": [{"kind": "screenshot", "full_page": True}]})


def test_camel_case_reaches_options_three_levels_deep() -> None:
    cookie = {"name": "a", "value": "b", "httpOnly": True, "sameSite": "None"}
    request = OneShotCaptureRequest.model_validate({"html": "<p>", "context": {"storageState": {"cookies": [cookie]}}})

    assert request.context.storage_state is not None
    assert request.context.storage_state.cookies[0].http_only
    assert request.context.storage_state.cookies[0].same_site == "None"


def test_the_names_of_headers_and_metadata_are_left_as_they_are() -> None:
    request = SessionRequest.model_validate({"metadata": {"orderId": "1"}, "extraHttpHeaders": {"xTrace": "2"}})

    assert request.metadata == {"orderId": "1"}
    assert request.extra_http_headers == {"xTrace": "2"}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("full_pages", "full_page"),
        ("fullPge", "full_page"),
        ("qualty", "quality"),
        ("omitBackgroud", "omit_background"),
    ],
)
def test_an_unknown_field_comes_with_a_suggestion(given: str, meant: str) -> None:
    with pytest.raises(ValidationError, match=f"unknown field; did you mean '{meant}'"):
        CaptureRequest.model_validate({"outputs": [{"kind": "screenshot", given: True}]})


def test_an_unknown_field_that_resembles_none_comes_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="known fields: width, height"):
        ContextOptions.model_validate({"viewport": {"zzz": 1}})


@pytest.mark.parametrize("value", [True, False])
def test_a_field_given_in_both_spellings_is_refused(value: bool) -> None:
    problems = _problems(ContextOptions, {"is_mobile": True, "isMobile": value})

    assert problems == [("given_twice", "is_mobile")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ttl", "60"),
        ("ttl", 60.5),
        ("ttl", True),
        ("is_mobile", "true"),
        ("is_mobile", 1),
        ("user_agent", 5),
        ("device_scale_factor", "2"),
        ("permissions", "geolocation"),
        ("metadata", {"count": 1}),
        ("viewport", [1280, 720]),
    ],
)
def test_a_value_of_another_type_is_not_converted(field: str, value: object) -> None:
    assert field in [name for _, name in _problems(SessionRequest, {field: value})]


def test_a_whole_number_is_taken_where_a_fraction_may_stand() -> None:
    assert ContextOptions.model_validate({"device_scale_factor": 2}).device_scale_factor == 2.0


@pytest.mark.parametrize("data", [[], "text", 5, None])
def test_what_is_no_object_is_refused(data: object) -> None:
    with pytest.raises(ValidationError):
        CaptureRequest.model_validate(data)
