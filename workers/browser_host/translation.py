"""Playwright's errors, told apart by their text, become ours. The only place that reads those texts."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from fleet.errors import (
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


def is_not_connected(failure: str) -> bool:
    return any(text in failure for text in _NOT_CONNECTED)


@contextmanager
def wait_errors(what: str, timeout_ms: float) -> Iterator[None]:
    try:
        yield
    except PlaywrightTimeout as error:
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
