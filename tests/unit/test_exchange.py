from typing import Any, cast

from playwright.async_api import ResourceTiming

from fleet.models.response import ResponseTimings
from workers.browser_host.exchange import timings

_NOTHING = dict.fromkeys(
    (
        "domainLookupStart",
        "domainLookupEnd",
        "connectStart",
        "secureConnectionStart",
        "connectEnd",
        "requestStart",
        "responseStart",
        "responseEnd",
    ),
    -1.0,
)


def told(**moments: float) -> ResponseTimings:
    timing: dict[str, Any] = {"startTime": 1.0, **_NOTHING, **moments}
    return timings(cast("ResourceTiming", timing))


def test_what_did_not_happen_took_minus_one() -> None:
    assert told() == ResponseTimings(blocked=-1, dns=-1, connect=-1, ssl=-1, wait=-1, receive=-1)


def test_each_step_takes_from_its_start_to_its_end() -> None:
    found = told(
        domainLookupStart=1,
        domainLookupEnd=3,
        connectStart=3,
        secureConnectionStart=5,
        connectEnd=9,
        requestStart=10,
        responseStart=30,
        responseEnd=34.06,
    )

    assert found == ResponseTimings(blocked=1, dns=2, connect=6, ssl=4, wait=20, receive=4.1)


def test_on_an_open_connection_the_request_is_the_first_step() -> None:
    found = told(requestStart=2, responseStart=5, responseEnd=6)

    assert found == ResponseTimings(blocked=2, wait=3, receive=1)
