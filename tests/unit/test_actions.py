import inspect
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import Keyboard, Locator, Page
from pydantic import TypeAdapter, ValidationError

from fleet.models.actions import ACTION_KINDS, ACTIONS_MAX, Action
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from tests.unit.test_field_paths import refusal

_ACTION: TypeAdapter[Action] = TypeAdapter(Action)
_CLASSES = get_args(get_args(Action)[0])
_BY_KIND = {get_args(cls.model_fields["kind"].annotation)[0]: cls for cls in _CLASSES}
# Beyond the arguments of Playwright's method; `timeout` where Playwright has no bound of its own.
_OUR_ADDITIONS = {"kind", "selector", "timeout"}

MINIMAL: dict[str, dict[str, Any]] = {
    "click": {"selector": "a"},
    "hover": {"selector": "a"},
    "check": {"selector": "a"},
    "uncheck": {"selector": "a"},
    "fill": {"selector": "a", "value": ""},
    "press": {"key": "Enter"},
    "select_option": {"selector": "a", "value": "b"},
    "scroll": {"delta_y": 100},
    "wait_for_selector": {"selector": "a"},
    "wait_for_function": {"expression": "true"},
    "wait_for_timeout": {"timeout": 0},
    "wait_for_url": {"url": "**/members"},
    "wait_for_load_state": {},
    "goto": {"url": "http://a.example/"},
    "evaluate": {"expression": "1"},
}


def _action(kind: str, **options: Any) -> Action:
    return _ACTION.validate_python({"kind": kind, **options})


def _method(kind: str) -> Any:
    return getattr(Locator if hasattr(Locator, kind) and "selector" in MINIMAL[kind] else Page, kind, None)


def test_every_kind_has_an_example_here() -> None:
    assert set(MINIMAL) == ACTION_KINDS


@pytest.mark.parametrize("kind", sorted(ACTION_KINDS))
def test_the_kind_tells_actions_apart(kind: str) -> None:
    assert isinstance(_action(kind, **MINIMAL[kind]), _BY_KIND[kind])


@pytest.mark.parametrize("kind", sorted(ACTION_KINDS - {"scroll", "wait_for_selector"}))
def test_every_option_is_an_argument_of_playwrights_method(kind: str) -> None:
    options = set(_BY_KIND[kind].model_fields) - _OUR_ADDITIONS

    assert options <= set(inspect.signature(_method(kind)).parameters)


def test_the_distances_of_a_scroll_are_named_like_those_of_playwrights_wheel() -> None:
    assert {"delta_x", "delta_y"} <= set(_BY_KIND["scroll"].model_fields)


def test_a_key_without_a_selector_takes_the_arguments_of_playwrights_keyboard() -> None:
    options = set(_BY_KIND["press"].model_fields) - _OUR_ADDITIONS

    assert options <= set(inspect.signature(Keyboard.press).parameters)


@pytest.mark.parametrize("kind", sorted(ACTION_KINDS - {"wait_for_timeout"}))
def test_an_action_is_given_thirty_seconds_unless_told_otherwise(kind: str) -> None:
    assert _action(kind, **MINIMAL[kind]).timeout == 30_000


@pytest.mark.parametrize("kind", sorted(ACTION_KINDS))
def test_no_action_may_take_longer_than_a_capture(kind: str) -> None:
    with pytest.raises(ValidationError):
        _action(kind, **(MINIMAL[kind] | {"timeout": 300_001}))


def test_a_capture_takes_as_many_actions_as_allowed_and_not_one_more() -> None:
    wait = {"kind": "wait_for_timeout", "timeout": 1}
    CaptureRequest.model_validate({"actions": [wait] * ACTIONS_MAX})
    with pytest.raises(ValidationError, match="at most 50"):
        CaptureRequest.model_validate({"actions": [wait] * (ACTIONS_MAX + 1)})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("click", {"button": "side"}),
        ("click", {"click_count": 11}),
        ("click", {"delay": 10_001}),
        ("click", {"modifiers": ["Hyper"]}),
        ("click", {"position": {"x": -1, "y": 0}}),
        ("click", {"selector": ""}),
        ("fill", {"value": "x" * 65_537}),
        ("press", {"key": ""}),
        ("press", {"key": "x" * 65}),
        ("select_option", {"value": ["x"] * 101}),
        ("scroll", {"delta_y": 40_000_000}),
        ("wait_for_timeout", {"timeout": 60_001}),
        ("wait_for_load_state", {"state": "commit"}),
        ("evaluate", {"expression": ""}),
        ("evaluate", {"expression": "x" * 65_537}),
        ("goto", {"url": "file:///etc/passwd"}),
    ],
    ids=lambda part: str(part)[:40],
)
def test_an_option_out_of_range_is_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        _action(kind, **(MINIMAL[kind] | options))

    assert {problem["loc"][1] for problem in refused.value.errors()} == set(options)


@pytest.mark.parametrize("way", ["value", "label", "index"])
def test_one_option_or_several_may_be_selected(way: str) -> None:
    one = 1 if way == "index" else "b"
    single, several = (_action("select_option", selector="a", **{way: given}) for given in (one, [one]))

    assert single == several


@pytest.mark.parametrize("ways", [{}, {"value": "a", "label": "b"}, {"value": "a", "index": 0}], ids=str)
def test_options_are_selected_in_exactly_one_way(ways: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give exactly one of value, label and index"):
        _action("select_option", selector="a", **ways)


@pytest.mark.parametrize("ways", [{}, {"selector": "a", "delta_y": 1}], ids=str)
def test_a_scroll_goes_to_an_element_or_by_a_distance(ways: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give either selector, or delta_x and delta_y"):
        _action("scroll", **ways)


def test_camel_case_is_taken_too() -> None:
    assert _action("click", selector="a", clickCount=2) == _action("click", selector="a", click_count=2)


def test_a_capture_with_actions_acts() -> None:
    acting = CaptureRequest.model_validate({"actions": [{"kind": "click", "selector": "a"}]})

    assert (acting.acts, CaptureRequest.model_validate({}).acts) == (True, False)


@given(value=st.text(st.characters(exclude_categories=["Cs"])), delta=st.floats(1, 33_554_432))
def test_a_worker_reads_what_the_api_accepted(value: str, delta: float) -> None:
    actions = [
        {"kind": "fill", "selector": "a", "value": value},
        {"kind": "select_option", "selector": "a", "label": value},
        {"kind": "scroll", "delta_x": delta},
        *({"kind": kind, **options} for kind, options in MINIMAL.items()),
    ]
    accepted = OneShotCaptureRequest.model_validate({"html": "", "actions": actions})

    assert OneShotCaptureRequest.model_validate_json(accepted.model_dump_json(exclude_unset=True)) == accepted


# --- Values may be passwords ---------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("fill", {"selector": "a", "value": "hunter2"}),
        ("press", {"key": "hunter2"}),
        ("select_option", {"selector": "a", "value": "hunter2"}),
        ("select_option", {"selector": "a", "label": ["hunter2"]}),
        ("evaluate", {"expression": "hunter2"}),
        ("wait_for_function", {"expression": "hunter2"}),
    ],
    ids=str,
)
def test_the_repr_of_an_action_hides_what_may_be_a_password(kind: str, options: dict[str, Any]) -> None:
    assert "hunter2" not in repr(_action(kind, **options))


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "fill", "selector": "a", "value": ["hunter2"]},
        {"kind": "fil", "selector": "a", "value": "hunter2"},
        {"kind": "fill", "selector": "a", "vale": "hunter2"},
        {"kind": "press", "key": "hunter2" * 20},
    ],
    ids=str,
)
def test_a_refused_action_does_not_repeat_its_value(action: dict[str, Any]) -> None:
    error = refusal({"html": "", "actions": [action]})

    assert "hunter2" not in f"{error.message} {error.details} {error.__context__}"
