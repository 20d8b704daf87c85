"""What both clients know of HTTP: the address, the key, the bounds, and what httpx2's errors mean."""

import ssl
from collections.abc import Mapping

import httpx2

from fleet_client.errors import ConnectionFailed, FleetClientError, NotTheApi
from fleet_client.exchange import Reply, Request

DEFAULT_URL = "http://127.0.0.1:8080"

_CONNECT_SECONDS = 10
# How long the other side may say nothing, beyond what it was asked to wait.
_SILENCE_SECONDS = 30
# What a proxy may take for a long list on its way to the API.
_WRITE_SECONDS = 60
# Of an answer that is kept in memory. The longest is a storage state, of 16 MiB.
_ANSWER_BYTES_MAX = 64 * 1024 * 1024


class Answer:
    """The body of an answer that is no download."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._bytes = 0

    def restart(self) -> None:
        self._pieces.clear()
        self._bytes = 0

    def write(self, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > _ANSWER_BYTES_MAX:
            raise NotTheApi(f"The answer has more than {_ANSWER_BYTES_MAX} bytes, so it is not from a fleet's API.")
        self._pieces.append(piece)

    @property
    def content(self) -> bytes:
        return b"".join(self._pieces)


def options(url: str, api_key: str | None) -> dict[str, object]:
    """Of httpx2's clients. Raises ValueError."""
    parsed = httpx2.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"'{url}' is not the address of an API; it looks like {DEFAULT_URL}.")
    headers = {"User-Agent": "capture-fleet-client"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    return {"base_url": url, "headers": headers, "limits": httpx2.Limits(max_connections=50)}


def arguments(request: Request) -> dict[str, object]:
    """Of httpx2's `stream`."""
    return {
        "method": request.method,
        "url": request.path,
        "params": request.query,
        "headers": request.headers,
        "content": request.body,
        "timeout": httpx2.Timeout(
            connect=_CONNECT_SECONDS,
            read=_SILENCE_SECONDS + request.wait_seconds,
            write=_WRITE_SECONDS,
            pool=None,
        ),
    }


def reply(response: httpx2.Response, body: bytes) -> Reply:
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, body)


def translated(error: Exception, url: str) -> FleetClientError:
    """Of what httpx2 raises while it sends and receives."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        cause = _root(error)
        if isinstance(cause, ssl.SSLError):
            return NotTheApi(f"The certificate of {url} is not acceptable ({cause}).")
        return ConnectionFailed(f"Nothing answers at {url} ({cause if cause is not None else error}). Is the fleet up?")
    if isinstance(error, httpx2.TimeoutException):
        return ConnectionFailed(f"{url} did not answer in time.")
    return ConnectionFailed(f"The connection to {url} broke ({str(error) or type(error).__name__}).")


def _root(error: BaseException) -> BaseException | None:
    cause = error.__cause__ or error.__context__
    while cause is not None and (cause.__cause__ or cause.__context__):
        cause = cause.__cause__ or cause.__context__
    return cause
