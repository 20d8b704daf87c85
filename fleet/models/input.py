"""What a viewer may do in a session's page. Names of kinds and fields are Playwright's."""

from typing import Annotated, Literal

from pydantic import Field

from fleet.models.base import HttpUrl
from fleet.models.base import Input as StrictInput

# Of a page that is scrolled to, generously.
_COORDINATE_MAX = 100_000
_TEXT_MAX = 10_000

Coordinate = Annotated[float, Field(ge=0, le=_COORDINATE_MAX)]
Delta = Annotated[float, Field(ge=-_COORDINATE_MAX, le=_COORDINATE_MAX)]
Button = Literal["left", "middle", "right"]
ClickCount = Annotated[int, Field(ge=1, le=3)]
# Such as `a`, `Enter`, `Control+A`. What is typed may be a password.
Key = Annotated[str, Field(min_length=1, max_length=100, repr=False)]


class MouseMove(StrictInput):
    kind: Literal["mouse_move"]
    x: Coordinate
    y: Coordinate


class _AtPoint(StrictInput):
    """Where the mouse goes first; without it, where it is."""

    x: Coordinate | None = None
    y: Coordinate | None = None


class MouseDown(_AtPoint):
    kind: Literal["mouse_down"]
    button: Button = "left"
    click_count: ClickCount = 1


class MouseUp(_AtPoint):
    kind: Literal["mouse_up"]
    button: Button = "left"
    click_count: ClickCount = 1


class Click(StrictInput):
    kind: Literal["click"]
    x: Coordinate
    y: Coordinate
    button: Button = "left"
    click_count: ClickCount = 1


class Wheel(_AtPoint):
    kind: Literal["wheel"]
    delta_x: Delta = 0
    delta_y: Delta = 0


class KeyDown(StrictInput):
    kind: Literal["key_down"]
    key: Key


class KeyUp(StrictInput):
    kind: Literal["key_up"]
    key: Key


class Press(StrictInput):
    kind: Literal["press"]
    key: Key


class InsertText(StrictInput):
    kind: Literal["insert_text"]
    text: Annotated[str, Field(min_length=1, max_length=_TEXT_MAX, repr=False)]


class GoTo(StrictInput):
    kind: Literal["goto"]
    url: HttpUrl


class GoBack(StrictInput):
    kind: Literal["go_back"]


class GoForward(StrictInput):
    kind: Literal["go_forward"]


class Reload(StrictInput):
    kind: Literal["reload"]


Input = Annotated[
    MouseMove
    | MouseDown
    | MouseUp
    | Click
    | Wheel
    | KeyDown
    | KeyUp
    | Press
    | InsertText
    | GoTo
    | GoBack
    | GoForward
    | Reload,
    Field(discriminator="kind"),
]
