"""What the options of the command line become is what the API takes."""

from typing import Any

import pytest
import typer

from fleet.models.capture import OneShotCaptureRequest
from fleet.models.session import SessionRequest
from fleet_client.cli.options import Browser, Paper, PaperFormat, Picture, PictureType, Visit, WaitUntil

_BROWSERS = [
    Browser(),
    Browser(width=400),
    Browser(device="iPhone 15", dark=True, locale="de-DE", timezone="Europe/Rome"),
    Browser(height=900, user_agent="me", header=["X-A: b", "X-C:d"], ignore_https_errors=True),
]
_VISITS = [
    Visit(),
    Visit(timeout=90),
    Visit(wait_for="h1", wait_until=WaitUntil.NETWORKIDLE, delay=1.5, scroll=True, timeout=0.5),
]
_OUTPUTS = [
    Picture().output(PictureType.PNG),
    Picture(full_page=True, quality=80, transparent=True).output(PictureType.WEBP),
    Picture(selector="h1").output(PictureType.JPEG),
    Paper().output(),
    Paper(format=PaperFormat.A4, landscape=True, scale=0.5, margin="1.5cm", pages="1-3,7", no_background=True).output(),
]


@pytest.mark.parametrize("browser", _BROWSERS)
@pytest.mark.parametrize("visit", _VISITS)
@pytest.mark.parametrize("output", _OUTPUTS)
def test_a_capture_of_the_command_line_is_one_that_the_api_takes(
    browser: Browser, visit: Visit, output: dict[str, Any]
) -> None:
    body = {"url": "https://example.org/", **visit.body(), "outputs": [output], "context": browser.context()}

    OneShotCaptureRequest.model_validate(body)


@pytest.mark.parametrize("browser", _BROWSERS)
def test_a_session_of_the_command_line_is_one_that_the_api_takes(browser: Browser) -> None:
    SessionRequest.model_validate(browser.context())


def test_what_was_not_given_is_left_to_the_fleet() -> None:
    assert Browser().context() == {}
    assert Visit().body() == {}


def test_one_time_bounds_the_capture_and_all_that_it_waits_for() -> None:
    body = Visit(wait_for="h1", timeout=90).body()

    assert [body["timeout"], body["goto"]["timeout"], body["wait_for_selector"]["timeout"]] == [90_000] * 3


def test_a_header_without_a_colon_is_a_mistake() -> None:
    with pytest.raises(typer.BadParameter):
        Browser(header=["nothing"]).context()
