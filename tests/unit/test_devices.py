from typing import Any

import pytest
from pydantic import ValidationError

from fleet.models.capture import OneShotCaptureRequest
from fleet.models.context import ContextOptions
from fleet.models.devices import DEVICES


def options_of(**given: Any) -> dict[str, Any]:
    return ContextOptions.model_validate(given).to_playwright()


def test_a_device_stands_for_the_options_that_playwright_has_for_it() -> None:
    assert options_of(device="iPhone 15") == DEVICES["iPhone 15"]


def test_a_device_is_a_phone_as_playwright_sees_it() -> None:
    options = options_of(device="iPhone 15")

    assert {name: options[name] for name in ("viewport", "device_scale_factor", "is_mobile", "has_touch")} == {
        "viewport": {"width": 393, "height": 659},
        "device_scale_factor": 3,
        "is_mobile": True,
        "has_touch": True,
    }
    assert "iPhone" in options["user_agent"]


@pytest.mark.parametrize(
    "given",
    [
        {"viewport": {"width": 800, "height": 600}},
        {"user_agent": "Fleet/1.0"},
        {"device_scale_factor": 1.0},
        {"is_mobile": False},
        {"has_touch": False},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_is_given_wins_over_the_device(given: dict[str, Any]) -> None:
    assert options_of(device="iPhone 15", **given) == {**DEVICES["iPhone 15"], **given}


def test_an_option_in_camel_case_wins_too() -> None:
    assert options_of(device="iPhone 15", isMobile=False)["is_mobile"] is False


def test_a_device_does_not_take_options_away() -> None:
    assert options_of(device="iPhone 15", locale="de-DE")["locale"] == "de-DE"


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_is_accepted(device: str) -> None:
    request = OneShotCaptureRequest.model_validate({"html": "", "context": {"device": device}})

    assert request.context.to_playwright() == DEVICES[device]


@pytest.mark.parametrize(
    ("given", "meant"), [("iphone 15", "iPhone 15"), ("iPhone15", "iPhone 15"), ("Pixle 7", "Pixel 7")]
)
def test_an_unknown_device_comes_with_a_suggestion(given: str, meant: str) -> None:
    with pytest.raises(ValidationError, match=f"unknown device; did you mean '{meant}'") as refused:
        ContextOptions.model_validate({"device": given})

    assert refused.value.errors()[0]["loc"] == ("device",)


def test_a_device_that_resembles_none_comes_with_where_to_look() -> None:
    with pytest.raises(ValidationError, match="unknown device; take a name of Playwright's"):
        ContextOptions.model_validate({"device": "§§§"})


def test_a_viewport_that_the_device_s_pixels_make_too_large_is_refused() -> None:
    viewport = {"width": 4000, "height": 4000}
    assert options_of(viewport=viewport) == {"viewport": viewport}

    with pytest.raises(ValidationError, match="times device_scale_factor has more than"):
        options_of(device="iPhone 15", viewport=viewport)
