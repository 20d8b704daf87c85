import inspect
from typing import Any, get_args

import pytest
from playwright.async_api import Page
from pydantic import TypeAdapter, ValidationError

from fleet.models.outputs import Html, Output, Pdf, Screenshot

_OUTPUT: TypeAdapter[Output] = TypeAdapter(Output)
# What an output has beyond the arguments of Playwright's method.
_OUR_ADDITIONS = {"kind", "selector"}


def _output(kind: str, **options: Any) -> Output:
    return _OUTPUT.validate_python({"kind": kind, **options})


def _literals(annotation: Any) -> set[Any]:
    """The values of every Literal in an annotation."""
    parts = get_args(annotation)
    return set().union(*(_literals(part) for part in parts)) | {part for part in parts if isinstance(part, str)}


@pytest.mark.parametrize(("model", "method"), [(Screenshot, Page.screenshot), (Pdf, Page.pdf)])
def test_every_option_is_an_argument_of_playwrights_method(model: type[Screenshot | Pdf], method: Any) -> None:
    arguments = set(inspect.signature(method).parameters)

    assert set(model.model_fields) - _OUR_ADDITIONS <= arguments


@pytest.mark.parametrize("option", ["type", "scale", "animations", "caret"])
def test_every_choice_of_a_screenshot_is_one_of_playwrights(option: str) -> None:
    offered = _literals(Screenshot.model_fields[option].annotation)
    known = _literals(inspect.signature(Page.screenshot).parameters[option].annotation)

    assert offered
    assert offered <= known


@pytest.mark.parametrize(("options", "cls"), [("screenshot", Screenshot), ("pdf", Pdf), ("html", Html)])
def test_the_kind_tells_outputs_apart(options: str, cls: type[Output]) -> None:
    assert isinstance(_output(options), cls)


@pytest.mark.parametrize("fields", [{}, {"kind": "gif"}, {"kind": None}, {"type": "png"}])
def test_an_output_without_a_known_kind_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="kind"):
        _OUTPUT.validate_python(fields)


@pytest.mark.parametrize(
    ("kind", "options", "media_type"),
    [
        ("screenshot", {}, "image/png"),
        ("screenshot", {"type": "jpeg"}, "image/jpeg"),
        ("screenshot", {"type": "webp"}, "image/webp"),
        ("pdf", {}, "application/pdf"),
        ("html", {}, "text/html"),
    ],
)
def test_an_output_knows_its_media_type(kind: str, options: dict[str, Any], media_type: str) -> None:
    assert _output(kind, **options).media_type == media_type


_CLIP = {"x": 0, "y": 0, "width": 10, "height": 10}


@pytest.mark.parametrize(
    "areas",
    [{"full_page": True, "clip": _CLIP}, {"full_page": True, "selector": "p"}, {"clip": _CLIP, "selector": "p"}],
    ids=" and ".join,
)
def test_a_screenshot_shows_one_area_only(areas: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give only one of " + ", ".join(areas)):
        _output("screenshot", **areas)


def test_full_page_false_goes_with_every_area() -> None:
    assert _output("screenshot", full_page=False, selector="p") == Screenshot(kind="screenshot", selector="p")


def test_quality_is_refused_for_png() -> None:
    with pytest.raises(ValidationError, match="png is lossless"):
        _output("screenshot", quality=80)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_quality_is_taken_for_lossy_pictures(kind: str) -> None:
    output = _output("screenshot", type=kind, quality=0)

    assert isinstance(output, Screenshot)
    assert output.quality == 0


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("screenshot", {"type": "jpeg", "quality": 101}),
        ("screenshot", {"type": "jpeg", "quality": -1}),
        ("screenshot", {"clip": {**_CLIP, "width": 0}}),
        ("screenshot", {"clip": {**_CLIP, "height": 16_385}}),
        ("screenshot", {"clip": {**_CLIP, "x": -1}}),
        ("screenshot", {"selector": ""}),
        ("pdf", {"scale": 0.05}),
        ("pdf", {"scale": 2.1}),
        ("pdf", {"width": "10"}),
        ("pdf", {"width": "-1cm"}),
        ("pdf", {"margin": {"top": "1em"}}),
        ("pdf", {"format": "B5"}),
        ("pdf", {"page_ranges": "one"}),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused(kind: str, options: dict[str, Any]) -> None:
    option = list(options)[-1]
    with pytest.raises(ValidationError) as refused:
        _output(kind, **options)

    assert [problem["loc"][1] for problem in refused.value.errors()] == [option]


def test_a_pdf_shows_backgrounds_unless_told_otherwise() -> None:
    pdf = _output("pdf")

    assert isinstance(pdf, Pdf)
    assert pdf.print_background
