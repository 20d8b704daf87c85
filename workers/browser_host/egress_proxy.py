"""The only way out for pages: a SOCKS5 proxy that resolves the name, checks every address, and dials the checked one.

Chrome hands over names unresolved and sends everything through it, WebSockets and loopback included, so neither a
redirect nor a name that changes its address gets around the policy. Chrome is told only that a connection failed;
why is kept here for a while, for the job's error and manifest.
"""

import asyncio
import ipaddress
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import structlog

from fleet.egress import Address, EgressPolicy
from fleet.errors import ConnectionFailed, ConnectionRefused, EgressBlocked, FleetError, NameNotResolved
from workers.metrics import WorkerCounts

_log = structlog.get_logger(__name__)

_RESOLVE_SECONDS = 10
_DIAL_SECONDS = 20
# Chrome closes a connection when it wants no more of it; a server that never ends its answer is not waited for.
_LINGER_SECONDS = 5.0
_HANDSHAKE_SECONDS = 10
# Open at once; a page that opens thousands of WebSockets is refused more.
_CONNECTIONS_MAX = 2_000
_CHUNK_BYTES = 256 * 1024
_REMEMBERED_FAILURES = 1_000

_VERSION, _CONNECT, _NO_AUTHENTICATION = 5, 1, 0
_NAME, _IPV4, _IPV6 = 3, 1, 4
_GRANTED, _REFUSED = 0, 2
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

Target = tuple[str, int]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class EgressProxy:
    def __init__(self, policy: EgressPolicy, counts: WorkerCounts) -> None:
        self._policy = policy
        self._counts = counts
        # Bound here, so that its address is known before anything runs.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._failures: OrderedDict[Target, FleetError] = OrderedDict()
        # Of its own: a resolver that hangs must not hold up the host's other threads.
        self._resolvers = ThreadPoolExecutor(16, thread_name_prefix="resolve")

    @property
    def url(self) -> str:
        return f"socks5://127.0.0.1:{self._socket.getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._socket)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    def failure_of(self, url: str) -> FleetError | None:
        """Why the last connection for this URL could not be made, if it could not."""
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        return self._failures.get(((parts.hostname or "").lower(), port))

    async def resolve(self, host: str, port: int) -> list[Address]:
        """The addresses that may be dialled. Raises NameNotResolved or EgressBlocked."""
        addresses = await self._addresses(host, port)
        permitted = [address for address in addresses if self._policy.permits(host, port, address)]
        if not permitted:
            self._counts.egress_blocked.inc()
            _log.warning("egress blocked", host=host, port=port, addresses=[str(address) for address in addresses])
            raise EgressBlocked(
                f"'{host}:{port}' is not a public address, and the fleet reaches only public ones. "
                "Whoever runs it can allow the address with FLEET_EGRESS_ALLOW."
            )
        return permitted

    async def pinned(self, server: str) -> str:
        """A proxy that a client named, by an address that was checked. Raises as `resolve`."""
        parts = urlsplit(server)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 1080)
        (address, *_) = await self.resolve(parts.hostname or "", port)
        shown = f"[{address}]" if address.version == 6 else str(address)
        return f"{parts.scheme}://{shown}:{port}"

    async def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            return [ipaddress.ip_address(host)]
        except ValueError:
            pass
        look_up = asyncio.get_running_loop().run_in_executor(
            self._resolvers, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await look_up
        except (OSError, UnicodeError, TimeoutError) as error:
            message = f"The host name '{host}' could not be resolved. Check its spelling and that it is public."
            raise NameNotResolved(message) from error
        return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None  # noqa: S101  # asyncio runs this callback as a task
        self._connections.add(connection)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError, asyncio.CancelledError):
            # Either side went away, spoke something else, or the host stops: the connection just ends.
            _drop(writer)
        finally:
            writer.close()
            self._connections.discard(connection)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            target = await _read_target(reader, writer)
        try:
            upstream_reader, upstream_writer = await self._dial(*target)
        except FleetError as error:
            self._remember(target, error)
            writer.write(_reply(_REFUSED))
            return
        self._failures.pop(_key(target), None)
        close: Callable[[asyncio.StreamWriter], None] = _drop
        try:
            writer.write(_reply(_GRANTED))
            async with asyncio.TaskGroup() as directions:
                answers = directions.create_task(_copy(upstream_reader, writer))
                await _copy(reader, upstream_writer)
                async with asyncio.timeout(_LINGER_SECONDS):
                    await answers
            close = asyncio.StreamWriter.close
        except* OSError:
            pass
        finally:
            close(upstream_writer)

    async def _dial(self, host: str, port: int) -> Streams:
        """A connection to one of the permitted addresses. Raises the error that the last of them gave."""
        if len(self._connections) > _CONNECTIONS_MAX:
            raise ConnectionFailed("The pages of this worker hold too many connections. Try again later.")
        failure: FleetError = ConnectionFailed(f"'{host}:{port}' could not be reached.")
        for address in await self.resolve(host, port):
            try:
                async with asyncio.timeout(_DIAL_SECONDS):
                    return await asyncio.open_connection(str(address), port)
            except ConnectionRefusedError:
                message = f"'{host}:{port}' refused the connection. Check the port and that the site is up."
                failure = ConnectionRefused(message)
            except (OSError, TimeoutError):
                message = f"'{host}:{port}' did not accept a connection. Check that the workers can reach it."
                failure = ConnectionFailed(message)
        raise failure

    def _remember(self, target: Target, error: FleetError) -> None:
        self._failures[_key(target)] = error
        self._failures.move_to_end(_key(target))
        while len(self._failures) > _REMEMBERED_FAILURES:
            self._failures.popitem(last=False)


def _drop(writer: asyncio.StreamWriter) -> None:
    """Closes now. An orderly close would wait for a side that may never read what it was sent."""
    writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """At the pace of the slower side; the end of one direction leaves the other open."""
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _read_target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Target:
    """RFC 1928: greeting, then the request to connect. Raises ValueError for anything else."""
    version, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(bytes([_VERSION, _NO_AUTHENTICATION]))
    request_version, command, _, kind = await reader.readexactly(4)
    if (version, request_version, command) != (_VERSION, _VERSION, _CONNECT):
        raise ValueError("not a SOCKS5 request to connect")
    host = await _read_host(reader, kind)
    (port,) = struct.unpack(">H", await reader.readexactly(2))
    return host, port


async def _read_host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == _NAME:
        (length,) = await reader.readexactly(1)
        return (await reader.readexactly(length)).decode("ascii")
    if kind in (_IPV4, _IPV6):
        return str(ipaddress.ip_address(await reader.readexactly(4 if kind == _IPV4 else 16)))
    raise ValueError("unknown kind of address")


def _reply(code: int) -> bytes:
    return bytes([_VERSION, code, 0, _IPV4]) + bytes(6)


def _key(target: Target) -> Target:
    host, port = target
    return host.lower(), port
