"""Playwright's errors, told apart by their text, become ours. The only place that reads those texts."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from fleet.errors import (
    ActionFailed,
    BrowserUnavailable,
    CaptureFailed,
    ConnectionFailed,
    ConnectionRefused,
    DownloadStarted,
    FleetError,
    InvalidRequest,
    NameNotResolved,
    NavigationFailed,
    NavigationTimeout,
    PageCrashed,
    SelectorNotFound,
    TlsError,
    TooManyRedirects,
    WaitTimeout,
)

# Playwright's words for what kept an element from being acted on.
_NOT_READY = {
    "element is not enabled": "is not enabled",
    "element is not stable": "keeps moving",
    "element is not editable": "cannot be edited",
    "element is outside of the viewport": "cannot be scrolled into view",
    "intercepts pointer events": "is covered by another element",
    "did not find some options": "has no such option",
}
_FOUND = "locator resolved to"
_HIDDEN = "element is not visible"
_NAVIGATING = "waiting for scheduled navigations"
_BAD_KEY = "Unknown key"
_BAD_SELECTOR = ("while parsing", "is not a valid", "Invalid regular expression", "Unknown engine")

WhyNotConnected = Callable[[], FleetError | None]

# Chrome's words for "the proxy did not connect"; the proxy itself knows why.
_NOT_CONNECTED = ("ERR_SOCKS_CONNECTION", "ERR_PROXY_CONNECTION", "ERR_TUNNEL_CONNECTION")

# First match wins; the texts are Chromium's net error names and Playwright's own words.
_NAVIGATION: tuple[tuple[tuple[str, ...], type[FleetError], str], ...] = (
    (
        ("ERR_NAME_NOT_RESOLVED", "ERR_NAME_RESOLUTION_FAILED", "ERR_DNS_"),
        NameNotResolved,
        "The host name could not be resolved. Check its spelling and that it is public.",
    ),
    (
        ("ERR_CONNECTION_REFUSED",),
        ConnectionRefused,
        "The host refused the connection. Check the port and that the site is up.",
    ),
    (
        ("ERR_CERT_", "ERR_SSL_", "ERR_BAD_SSL_"),
        TlsError,
        "The site's TLS certificate or handshake failed. Set ignore_https_errors to open it all the same.",
    ),
    (("ERR_TOO_MANY_REDIRECTS",), TooManyRedirects, "The page redirects in a circle."),
    (("Download is starting",), DownloadStarted, "The URL is a download, so there is no page to capture."),
    (("ERR_ABORTED",), DownloadStarted, "The site answered without a page (a download, or no content)."),
    (
        ("ERR_TIMED_OUT", "ERR_CONNECTION_TIMED_OUT"),
        ConnectionFailed,
        "The connection to the host timed out. Check that it can be reached from the workers.",
    ),
    (
        ("ERR_CONNECTION_", "ERR_EMPTY_RESPONSE", "ERR_ADDRESS_", "ERR_NETWORK_", "ERR_SOCKET_", *_NOT_CONNECTED),
        ConnectionFailed,
        "The connection to the host failed or broke off. Try again later.",
    ),
)

_CRASHED = ("Page crashed", "Target crashed")
_GONE = (
    "has been closed", "Connection closed", "Browser closed", "browser has disconnected", "No target with given id",
    "Target closed", "Session closed",
)  # fmt: skip
_BAD_OPTIONS = (
    "Invalid timezone", "Invalid locale", "Unknown permission", "Invalid header", "storage state", "storageState",
    "Proxy ", "proxy", "Cookie should", "Invalid cookie", "Unsupported", "origin",
)  # fmt: skip


@contextmanager
def navigation_errors(timeout_ms: int, wait_until: str, why_not_connected: WhyNotConnected) -> Iterator[None]:
    try:
        yield
    except PlaywrightTimeout as error:
        message = f"The page did not reach '{wait_until}' within goto.timeout ({timeout_ms} ms)."
        raise NavigationTimeout(message) from error
    except PlaywrightError as error:
        not_connected = why_not_connected() if is_not_connected(error.message) else None
        raise _of_page(error) or not_connected or _of_navigation(error) from error


def is_broken_off(error: PlaywrightError) -> bool:
    """Whether a navigation ended without a page and without a word why (a download, no content, or something else), or
    because an interface of the machine came or went.
    """
    return "ERR_ABORTED" in error.message or "ERR_NETWORK_CHANGED" in error.message


def is_not_connected(failure: str) -> bool:
    return any(text in failure for text in _NOT_CONNECTED)


@contextmanager
def wait_errors(what: str, timeout_ms: float) -> Iterator[None]:
    try:
        yield
    except (PlaywrightTimeout, TimeoutError) as error:
        raise WaitTimeout(f"{what} did not come true within {timeout_ms:g} ms.") from error
    except PlaywrightError as error:
        raise _of_page(error) or InvalidRequest(f"{what} is not usable: {_first_line(error)}") from error


@contextmanager
def selector_errors(selector: str) -> Iterator[None]:
    try:
        yield
    except PlaywrightTimeout as error:
        message = f"Nothing visible matches the selector '{selector}'. Wait for it with wait_for_selector."
        raise SelectorNotFound(message) from error
    except PlaywrightError as error:
        raise _of_page(error) or InvalidRequest(f"selector '{selector}': {_first_line(error)}") from error


@contextmanager
def action_errors(selector: str | None, timeout_ms: float, *, late: type[FleetError] = ActionFailed) -> Iterator[None]:
    """Drops Playwright's error: its log of the call quotes what was to be filled in."""
    try:
        yield
    except (PlaywrightTimeout, TimeoutError) as error:
        raise _of_late_action(str(error), selector, timeout_ms, late) from None
    except PlaywrightError as error:
        raise _of_page(error) or _of_action(error, selector) from None


def _of_late_action(log: str, selector: str | None, timeout_ms: float, late: type[FleetError]) -> FleetError:
    """Tells why from the log of the call: the reason of the last attempt stands last."""
    if _NAVIGATING in log:
        return NavigationTimeout(f"The page that it leads to did not come within {timeout_ms:g} ms.")
    found = max(_NOT_READY, key=log.rfind)
    if found in log:
        return ActionFailed(f"'{selector}' {_NOT_READY[found]}, for {timeout_ms:g} ms.")
    if selector is not None and (_FOUND not in log or _HIDDEN in log):
        message = f"Nothing visible matched the selector '{selector}' within {timeout_ms:g} ms."
        return SelectorNotFound(message)
    return late(f"It was not done within {timeout_ms:g} ms.")


def _of_action(error: PlaywrightError, selector: str | None) -> FleetError:
    if _BAD_KEY in error.message:
        return InvalidRequest("There is no such key; Playwright's keyboard.press lists them.")
    if selector is not None and any(text in error.message for text in _BAD_SELECTOR):
        return InvalidRequest(f"selector '{selector}': {_first_line(error)}")
    return ActionFailed(_first_line(error).removeprefix("Error: "))


def has_left_its_page(error: PlaywrightError) -> bool:
    """Whether a script was broken off by the navigation that it started."""
    return "Execution context was destroyed" in error.message


def is_another_document(error: PlaywrightError) -> bool:
    """Whether the page has gone on to another document since its nodes were named."""
    return "Could not find node" in error.message


def failed_navigation(failure: str) -> FleetError | None:
    """For one that the page began by itself, by Chrome's word for it. None: the page stays as it is."""
    return None if "ERR_ABORTED" in failure else _of_navigation(PlaywrightError(failure))


@contextmanager
def output_errors(kind: str) -> Iterator[None]:
    try:
        yield
    except PlaywrightError as error:
        raise _of_page(error) or CaptureFailed(f"The {kind} could not be taken: {_first_line(error)}") from error


@contextmanager
def page_errors() -> Iterator[None]:
    """For steps that only fail when the page or its Chrome goes away."""
    try:
        yield
    except PlaywrightError as error:
        raise _of_page(error) or CaptureFailed(f"The page did not answer: {_first_line(error)}") from error


@contextmanager
def context_errors() -> Iterator[None]:
    try:
        yield
    except PlaywrightError as error:
        if (gone := _of_page(error)) is not None:
            raise gone from error
        if any(text in error.message for text in _BAD_OPTIONS):
            raise InvalidRequest(f"Chrome refuses a context option: {_first_line(error)}") from error
        raise BrowserUnavailable("Chrome did not open a context. Send the job again.") from error


def _of_page(error: PlaywrightError) -> FleetError | None:
    if any(text in error.message for text in _CRASHED):
        return PageCrashed("The page crashed its renderer process.")
    if any(text in error.message for text in _GONE):
        return BrowserUnavailable("Chrome or the page went away during the job. Send the job again.")
    return None


def _of_navigation(error: PlaywrightError) -> FleetError:
    for texts, cls, message in _NAVIGATION:
        if any(text in error.message for text in texts):
            return cls(message)
    return NavigationFailed(f"The page could not be opened: {_first_line(error)}")


def _first_line(error: PlaywrightError) -> str:
    lines = error.message.strip().splitlines() or ["no reason given"]
    # A heading has its reason on the next line.
    line = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    # Playwright prefixes its messages with the method's name, which means nothing to a client.
    return re.sub(r"^\w+\.\w+: ", "", line)[:300]
