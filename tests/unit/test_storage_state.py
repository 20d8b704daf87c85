"""What Playwright's `storage_state` gave is taken back as it is."""

from typing import Any

import pytest
from pydantic import ValidationError

from fleet.models.context import ContextOptions
from fleet.models.session import SessionRequest

COOKIE: dict[str, Any] = {
    "name": "a",
    "value": "b",
    "domain": "a.example",
    "path": "/",
    "expires": 1795351357.248466,
    "httpOnly": True,
    "secure": True,
    "sameSite": "None",
    "partitionKey": "https://b.example",
    "_crHasCrossSiteAncestor": True,
}
ORIGIN: dict[str, Any] = {
    "origin": "http://a.example",
    "localStorage": [{"name": "full_name", "value": "x"}],
    "indexedDB": [
        {
            "name": "d",
            "version": 1,
            "stores": [
                {
                    "name": "s",
                    "autoIncrement": False,
                    "records": [{"key": "k", "valueEncoded": {"o": [{"k": "n", "v": {"v": "Infinity"}}], "id": 1}}],
                    "indexes": [],
                }
            ],
        }
    ],
}


def reaches_playwright(state: dict[str, Any]) -> Any:
    """What the worker makes of what the API keeps."""
    request = SessionRequest.model_validate({"storage_state": state})
    kept = SessionRequest.model_validate_json(request.model_dump_json(exclude_unset=True))
    return kept.to_playwright()["storage_state"]


@pytest.mark.parametrize("ancestor", [True, False])
def test_a_whole_state_comes_through_the_store_unchanged(ancestor: bool) -> None:
    state = {"cookies": [{**COOKIE, "_crHasCrossSiteAncestor": ancestor}], "origins": [ORIGIN]}

    assert reaches_playwright(state) == state


def test_a_cookie_without_a_partition_gets_none() -> None:
    cookie = {name: COOKIE[name] for name in COOKIE if name not in ("partitionKey", "_crHasCrossSiteAncestor")}

    assert reaches_playwright({"cookies": [cookie], "origins": []}) == {"cookies": [cookie], "origins": []}


def test_a_private_field_that_playwright_may_add_one_day_is_no_error() -> None:
    assert reaches_playwright({"cookies": [{**COOKIE, "_crOfTomorrow": {}}]})["cookies"] == [COOKIE]


@pytest.mark.parametrize(
    ("field", "value"), [("_crHasCrossSiteAncestor", "yes"), ("httpOnyl", True), ("crHasCrossSite", True)]
)
def test_any_other_field_of_a_cookie_is_still_checked(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        ContextOptions.model_validate({"storage_state": {"cookies": [{**COOKIE, field: value}]}})
