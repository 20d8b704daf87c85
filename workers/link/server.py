"""The answering side: each connection is one call in a task of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from fleet.errors import CaptureTimeout, FleetError, InternalError
from workers.link import protocol

Command = Callable[[protocol.Message], Awaitable[protocol.Message]]

_log = structlog.get_logger(__name__)


class HostServer:
    def __init__(self, socket_path: Path, commands: dict[str, Command]) -> None:
        self._path = socket_path
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._farewell: FleetError | None = None

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, backlog=512)
        self._path.chmod(0o600)

    def turn_away(self, error: FleetError) -> None:
        """Answers every call with that error: those that run, which are cancelled, and those still to come."""
        self._farewell = error
        for call in self._calls:
            call.cancel()

    async def stop(self) -> None:
        """Takes no more calls and cancels those that run."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.current_task()
        assert call is not None  # noqa: S101  # asyncio runs this callback as a task
        self._calls.add(call)
        try:
            request = protocol.decode(await _read_frame(reader))
            answer = await self._answer_or_farewell(request, reader)
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client has gone, or the host stops: there is nobody to answer.
            pass
        finally:
            writer.close()
            self._calls.discard(call)

    async def _answer_or_farewell(self, request: protocol.Message, reader: asyncio.StreamReader) -> bytes:
        try:
            if self._farewell is None:
                return await self._answer_unless_client_leaves(request, reader)
        except asyncio.CancelledError:
            if self._farewell is None:
                raise
        return protocol.encode(protocol.failure(self._farewell))

    async def _answer_unless_client_leaves(self, request: protocol.Message, reader: asyncio.StreamReader) -> bytes:
        work = asyncio.ensure_future(self._answer(request))
        # Nothing more is ever sent by a client, so the end of this read means that it has gone.
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise ConnectionResetError
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _answer(self, request: protocol.Message) -> bytes:
        deadline = asyncio.timeout(request["timeout_seconds"])
        try:
            async with deadline:
                result = await self._commands[request["command"]](request["params"])
            return protocol.encode(protocol.success(result))
        except FleetError as error:
            return protocol.encode(protocol.failure(error))
        except Exception:  # noqa: BLE001  # top of a periodic task, job or connection
            if deadline.expired():
                late = CaptureTimeout(f"The browser was not done within {request['timeout_seconds']:g} s.")
                return protocol.encode(protocol.failure(late))
            _log.exception("command failed", command=request["command"])
            message = "The browser host failed; its log has the cause. Send the job again."
            return protocol.encode(protocol.failure(InternalError(message)))


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = protocol.LENGTH.unpack(await reader.readexactly(protocol.LENGTH.size))
    if length > protocol.FRAME_MAX_BYTES:
        raise ConnectionResetError
    return await reader.readexactly(length)
