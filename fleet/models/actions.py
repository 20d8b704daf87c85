"""What a capture does on its page before outputs are taken. `kind` is the name of Playwright's method, and the
options are the method's arguments.

What is filled in may be a password: it is kept out of every `repr`.
"""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from fleet.models.base import HttpUrl, Input
from fleet.models.waits import (
    Expression,
    Goto,
    Milliseconds,
    Pause,
    Selector,
    WaitForFunction,
    WaitForSelector,
    WaitUntil,
)

ACTIONS_MAX = 50
_TEXT_MAX = 65_536

Modifier = Literal["Alt", "Control", "ControlOrMeta", "Meta", "Shift"]
# How far a page can be scrolled at once; Chrome's layout ends at 33,554,432 pixels.
Pixels = Annotated[float, Field(ge=-33_554_432, le=33_554_432)]
Delay = Annotated[int, Field(ge=0, le=10_000)]
Secret = Annotated[str, Field(max_length=_TEXT_MAX)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


Texts = Annotated[
    list[Secret], Field(max_length=100), BeforeValidator(_as_list, json_schema_input_type=str | list[str])
]
Indexes = Annotated[
    list[Annotated[int, Field(ge=0)]],
    Field(max_length=100),
    BeforeValidator(_as_list, json_schema_input_type=int | list[int]),
]


class Position(Input):
    """CSS pixels from the upper left corner of the element."""

    x: Annotated[float, Field(ge=0, le=1_000_000)]
    y: Annotated[float, Field(ge=0, le=1_000_000)]


class OnElement(Input):
    """Acts on the first element that matches. `force`: also if it is not visible, enabled and uncovered."""

    selector: Selector
    force: bool = False
    timeout: Milliseconds = 30_000


class ClickAction(OnElement):
    kind: Literal["click"]
    button: Literal["left", "middle", "right"] = "left"
    click_count: Annotated[int, Field(ge=1, le=10)] = 1
    delay: Delay = 0
    modifiers: Annotated[list[Modifier], Field(max_length=5)] = []
    position: Position | None = None


class HoverAction(OnElement):
    kind: Literal["hover"]
    modifiers: Annotated[list[Modifier], Field(max_length=5)] = []
    position: Position | None = None


class CheckAction(OnElement):
    kind: Literal["check"]
    position: Position | None = None


class UncheckAction(OnElement):
    kind: Literal["uncheck"]
    position: Position | None = None


class FillAction(OnElement):
    kind: Literal["fill"]
    value: Annotated[Secret, Field(repr=False)]


class SelectOptionAction(OnElement):
    """Exactly one of `value`, `label` and `index`; each one or several."""

    kind: Literal["select_option"]
    value: Annotated[Texts | None, Field(repr=False)] = None
    label: Annotated[Texts | None, Field(repr=False)] = None
    index: Annotated[Indexes | None, Field(repr=False)] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.value, self.label, self.index)) != 1:
            raise PydanticCustomError("contradiction", "give exactly one of value, label and index", {})
        return self


class PressAction(Input):
    """A key such as `Enter` or `Control+A`; without a selector it goes to the element that has the focus."""

    kind: Literal["press"]
    selector: Selector | None = None
    key: Annotated[str, Field(min_length=1, max_length=64, repr=False)]
    delay: Delay = 0
    timeout: Milliseconds = 30_000


class ScrollAction(Input):
    """Until the element is in view, or by so many CSS pixels; as far as the page goes."""

    kind: Literal["scroll"]
    selector: Selector | None = None
    delta_x: Pixels = 0
    delta_y: Pixels = 0
    timeout: Milliseconds = 30_000

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.selector is not None) == bool(self.delta_x or self.delta_y):
            raise PydanticCustomError("contradiction", "give either selector, or delta_x and delta_y", {})
        return self


class WaitForSelectorAction(WaitForSelector):
    kind: Literal["wait_for_selector"]


class WaitForFunctionAction(WaitForFunction):
    kind: Literal["wait_for_function"]


class WaitForTimeoutAction(Input):
    """`timeout` is the pause itself, as in Playwright."""

    kind: Literal["wait_for_timeout"]
    timeout: Pause


class WaitForUrlAction(Input):
    """`url`: a glob, or the address itself."""

    kind: Literal["wait_for_url"]
    url: Annotated[str, Field(min_length=1, max_length=16_384)]
    wait_until: WaitUntil = "load"
    timeout: Milliseconds = 30_000


class WaitForLoadStateAction(Input):
    kind: Literal["wait_for_load_state"]
    state: Literal["domcontentloaded", "load", "networkidle"] = "load"
    timeout: Milliseconds = 30_000


class GotoAction(Goto):
    kind: Literal["goto"]
    url: HttpUrl


class EvaluateAction(Input):
    """What the expression, or the function that it is, returns is waited for and dropped."""

    kind: Literal["evaluate"]
    expression: Expression
    timeout: Milliseconds = 30_000


ElementAction = ClickAction | HoverAction | CheckAction | UncheckAction | FillAction | SelectOptionAction
Action = Annotated[
    ElementAction
    | PressAction
    | ScrollAction
    | WaitForSelectorAction
    | WaitForFunctionAction
    | WaitForTimeoutAction
    | WaitForUrlAction
    | WaitForLoadStateAction
    | GotoAction
    | EvaluateAction,
    Field(discriminator="kind"),
]
Actions = Annotated[list[Action], Field(max_length=ACTIONS_MAX)]
ACTION_KINDS = frozenset(
    get_args(member.model_fields["kind"].annotation)[0] for member in get_args(get_args(Action)[0])
)
