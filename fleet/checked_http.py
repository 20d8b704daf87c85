"""GET and POST for URLs that clients name: only addresses that the egress policy permits are dialled.

That holds after each redirect too. The name is resolved here and the address that was checked is the one that is
dialled, so that a name that changes its address gets nobody around the policy.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LookUpTimeout
from contextlib import ExitStack, contextmanager, suppress
from types import MappingProxyType
from urllib.parse import urljoin, urlsplit

from fleet import __version__
from fleet.egress import Address, EgressPolicy
from fleet.errors import (
    ConnectionFailed,
    EgressBlocked,
    FleetError,
    NameNotResolved,
    NavigationFailed,
    TooManyRedirects,
)
from fleet.urls import check_url

_REDIRECTS_MAX = 5
_REDIRECTS = (301, 302, 303, 307, 308)
# Of one look-up, one connection, one read.
_STEP_SECONDS = 10.0
_PIECE_BYTES = 64 * 1024
_RESOLVERS = 8


class CheckedHttp:
    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        # A resolver that hangs must not hold up who asks it.
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")

    @contextmanager
    def get(self, url: str, *, deadline: float) -> Iterator[Iterator[bytes]]:
        """The body of a 200, piece by piece, as it was sent. `deadline`: of all of it, in monotonic seconds.

        Raises a PageError or InvalidUrl, here or while the body is read.
        """
        for _ in range(_REDIRECTS_MAX + 1):
            with ExitStack() as stack:
                with _translated(url, deadline):
                    dialled = self._dial(stack, check_url(url), deadline)
                    response = stack.enter_context(_ask(dialled, url))
                if response.status not in _REDIRECTS:
                    _check_status(response, url)
                    yield _pieces(response, url, deadline)
                    return
                url = urljoin(url, response.getheader("Location") or "")
        raise TooManyRedirects(f"More than {_REDIRECTS_MAX} redirects, the last one to {url}.")

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, deadline: float) -> int:
        """The status of the answer, whose body is not read. Redirects are not followed. `deadline`: as in `get`.

        Raises a PageError or InvalidUrl.
        """
        with ExitStack() as stack, _translated(url, deadline):
            dialled = self._dial(stack, check_url(url), deadline)
            return stack.enter_context(_ask(dialled, url, "POST", body, headers)).status

    def _dial(self, stack: ExitStack, url: str, deadline: float) -> socket.socket:
        """A connection that ends with `stack`, and at the deadline."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        address = str(self._address(host, port, deadline))
        plain = stack.enter_context(socket.create_connection((address, port), timeout=_left(deadline, url)))
        if parts.scheme == "http":
            stack.enter_context(_cut_off(plain, deadline))
            return plain
        context = ssl.create_default_context()
        secured = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        stack.enter_context(secured)
        stack.enter_context(_cut_off(secured, deadline))
        secured.do_handshake()
        return secured

    def _address(self, host: str, port: int, deadline: float) -> Address:
        """The first one that may be dialled. Raises NameNotResolved or EgressBlocked."""
        for address in self._addresses(host, port, deadline):
            if self._policy.permits(host, port, address):
                return address
        raise EgressBlocked(
            f"'{host}:{port}' is not a public address, and the fleet reaches only public ones. "
            "Whoever runs it can allow the address with FLEET_EGRESS_ALLOW."
        )

    def _addresses(self, host: str, port: int, deadline: float) -> list[Address]:
        look_up = self._resolvers.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = look_up.result(_left(deadline, host))
        except (OSError, UnicodeError, LookUpTimeout) as error:
            look_up.cancel()
            raise NameNotResolved(f"The host name '{host}' could not be resolved. Check its spelling.") from error
        return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


@contextmanager
def _cut_off(dialled: socket.socket, deadline: float) -> Iterator[None]:
    """Ends the connection then: a server that sends its answer byte by byte is never late with the next one."""

    def shut_down() -> None:
        # Past TLS, which would want to say goodbye.
        with suppress(OSError):
            socket.socket.shutdown(dialled, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _ask(
    dialled: socket.socket,
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    more_headers: Mapping[str, str] = MappingProxyType({}),
) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.sock = dialled
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc, "User-Agent": f"capture-fleet/{__version__}", "Accept-Encoding": "identity"}
    connection.request(method, path, body=body, headers={**headers, **more_headers})
    return connection.getresponse()


def _check_status(response: http.client.HTTPResponse, url: str) -> None:
    if response.status != http.HTTPStatus.OK:
        raise NavigationFailed(f"{url} was answered with status {response.status}.")


def _pieces(response: http.client.HTTPResponse, url: str, deadline: float) -> Iterator[bytes]:
    with _translated(url, deadline):
        while piece := response.read1(_PIECE_BYTES):
            yield piece
        # What was cut off looks as if it had ended.
        _left(deadline, url)


def _left(deadline: float, what: str) -> float:
    """Seconds for the next step. Raises ConnectionFailed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise ConnectionFailed(f"{what} took too long to answer.")
    return min(left, _STEP_SECONDS)


@contextmanager
def _translated(url: str, deadline: float) -> Iterator[None]:
    try:
        yield
    except FleetError:
        raise
    except (OSError, http.client.HTTPException) as error:
        # However it looks to have been cut off.
        _left(deadline, url)
        raise ConnectionFailed(f"{url} could not be fetched ({error}).") from error
