import inspect
from typing import Any, get_args

import pytest
from playwright.async_api import Browser
from pydantic import ValidationError

from fleet.models.context import ContextOptions
from fleet.models.session import SessionRequest

_ARGUMENTS = inspect.signature(Browser.new_context).parameters


def _literals(annotation: Any) -> set[Any]:
    parts = get_args(annotation)
    return set().union(*(_literals(part) for part in parts)) | {part for part in parts if isinstance(part, str)}


def test_every_option_is_an_argument_of_playwrights_new_context() -> None:
    assert set(ContextOptions.model_fields) - {"device"} <= set(_ARGUMENTS)


@pytest.mark.parametrize("option", ["color_scheme", "reduced_motion", "forced_colors", "contrast", "service_workers"])
def test_every_choice_is_one_of_playwrights(option: str) -> None:
    offered = _literals(ContextOptions.model_fields[option].annotation)

    assert offered
    assert offered <= _literals(_ARGUMENTS[option].annotation)


def test_playwright_gets_nothing_that_was_not_asked_for() -> None:
    assert ContextOptions().to_playwright() == {}


def test_playwright_gets_what_was_asked_for_by_its_own_names() -> None:
    asked: dict[str, Any] = {
        "viewport": {"width": 800, "height": 600},
        "java_script_enabled": False,
        "extra_http_headers": {"X-Trace": "1"},
        "http_credentials": {"username": "a", "password": "b"},
        "timezone_id": "Europe/Berlin",
        "permissions": ["geolocation"],
        "proxy": {"server": "http://proxy.example:3128"},
    }

    assert ContextOptions.model_validate(asked).to_playwright() == asked


def test_an_option_that_is_off_is_passed_on_as_off() -> None:
    assert ContextOptions.model_validate({"is_mobile": False, "offline": False}).to_playwright() == {
        "is_mobile": False,
        "offline": False,
    }


def test_a_sessions_own_fields_do_not_reach_playwright() -> None:
    request = SessionRequest.model_validate(
        {
            "ttl": 60,
            "max_lifetime": 60,
            "url": "http://a.example/",
            "metadata": {"a": "b"},
            "scripts": ["1"],
            "locale": "de-DE",
        }
    )

    assert request.to_playwright() == {"locale": "de-DE"}


def test_cookies_reach_playwright_in_its_camel_case() -> None:
    cookie = {"name": "a", "value": "b", "domain": "a.example", "path": "/", "http_only": True, "partition_key": "p"}
    options = ContextOptions.model_validate({"storage_state": {"cookies": [cookie]}}).to_playwright()

    assert options["storage_state"]["cookies"] == [
        {
            "name": "a",
            "value": "b",
            "domain": "a.example",
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
            "partitionKey": "p",
        }
    ]


def test_the_storage_of_origins_reaches_playwright_untouched() -> None:
    origins = [{"origin": "http://a.example", "localStorage": [{"name": "full_name", "value": "x"}], "indexedDB": []}]
    options = ContextOptions.model_validate({"storage_state": {"origins": origins}}).to_playwright()

    assert options["storage_state"] == {"cookies": [], "origins": origins}


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": {"width": 0, "height": 600}},
        {"viewport": {"width": 800, "height": 8193}},
        {"viewport": {"width": 800}},
        {"geolocation": {"latitude": 90.1, "longitude": 0}},
        {"geolocation": {"latitude": 0, "longitude": -180.1}},
        {"device_scale_factor": 0},
        {"device_scale_factor": 4.1},
        {"color_scheme": "sepia"},
        {"extra_http_headers": {f"X-{number}": "" for number in range(65)}},
        {"permissions": ["geolocation"] * 33},
        {"user_agent": "x" * 1025},
    ],
    ids=lambda options: next(iter(options)),
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ContextOptions.model_validate(options)

    assert {problem["loc"][0] for problem in refused.value.errors()} == set(options)
