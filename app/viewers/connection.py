"""One viewer's WebSocket, after the handshake: sends what is in its mailbox, hands on what it says, sees it vanish."""

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN, State
from websockets.server import ServerProtocol

from app.viewers.mailbox import Mailbox, Message, Picture

PING_SECONDS = 15.0
# Together with the lease in the store and a look: gone from the count within a minute.
SILENCE_SECONDS = 40.0
_LOOK_SECONDS = 1.0
# For the answer to our close, or for a close that does not fit into a full socket.
_CLOSE_SECONDS = 2.0
# Text that is typed at once; see fleet/models/input.py.
_MESSAGE_MAX_BYTES = 64 * 1024
_READ_BYTES = 16 * 1024
# Of the system, before what a slow viewer has not read yet.
_SEND_BUFFER_BYTES = 64 * 1024
# Behind each picture, and behind so many events, goes a ping. Its pong says that they have been read, and so many pings
# may be unanswered: what a viewer is too slow for stays in the mailbox, where something newer replaces it.
_EVENTS_PER_PING = 8
_UNANSWERED_MAX = 2

GOING_AWAY = 1001
PROTOCOL_BROKEN = 1008
SILENT = 4408
SESSION_ENDED = 4410
_REASON_MAX_BYTES = 123

OnText = Callable[[str], Awaitable[None]]


class Connection:
    def __init__(self, sock: socket.socket, handshake: Response, mailbox: Mailbox) -> None:
        """`handshake`: what the client is answered when `serve` begins."""
        self.mailbox = mailbox
        self._socket = sock
        self._handshake = handshake
        self._protocol = ServerProtocol(state=OPEN, max_size=_MESSAGE_MAX_BYTES)
        self._alive_at = time.monotonic()
        self._pinged_at = time.monotonic()
        # Payload of each ping, and the picture before it.
        self._unanswered: deque[tuple[bytes, Picture | None]] = deque()
        self._pings = 0
        self._answered = asyncio.Event()
        self._parts: list[bytes] = []
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._is_open = False
        self._closing: tuple[int, str] | None = None
        self._closed = asyncio.Event()

    async def serve(self, *, on_text: OnText, on_delivered: Callable[[Picture], None]) -> None:
        """Returns when the connection is closed. `on_delivered` is called when the viewer has read a picture."""
        await self._open()
        reading = asyncio.create_task(self._read(on_text, on_delivered))
        tasks: list[asyncio.Task[Any]] = [
            reading,
            asyncio.create_task(self._write()),
            asyncio.create_task(self._keep_alive()),
            asyncio.create_task(self._closed.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks[1:]:
                task.cancel()
            await self._say_goodbye(reading=reading)
        finally:
            for task in tasks:
                task.cancel()
            # What they raised is the end of the connection.
            await asyncio.gather(*tasks, return_exceptions=True)
            self.abort()

    def abort(self) -> None:
        if self._is_open:
            self._writer.transport.abort()
        else:
            self._socket.close()

    def close(self, code: int, reason: str) -> None:
        """The first word counts."""
        if self._closing is None:
            self._closing = code, reason.encode()[:_REASON_MAX_BYTES].decode(errors="ignore")
            self._closed.set()

    async def _open(self) -> None:
        self._socket.setblocking(False)  # noqa: FBT003  # the standard library's signature
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=_READ_BYTES)
        self._is_open = True
        # A drain ends only when the system has taken all of it.
        self._writer.transport.set_write_buffer_limits(high=0)
        self._writer.write(self._handshake.serialize())
        await self._writer.drain()

    async def _read(self, on_text: OnText, on_delivered: Callable[[Picture], None]) -> None:
        """Until the viewer closes, or breaks the protocol."""
        while data := await self._reader.read(_READ_BYTES):
            self._alive_at = time.monotonic()
            self._protocol.receive_data(data)
            # Answers to pings: who sends them faster than it reads is not read meanwhile.
            await self._flush()
            for event in self._protocol.events_received():
                match event:
                    case Frame(opcode=Opcode.PONG):
                        self._on_pong(bytes(event.data), on_delivered)
                    case Frame():
                        await self._take(event.opcode, bytes(event.data), on_text, is_last=event.fin)
            if self._protocol.state is not State.OPEN:
                return

    async def _take(self, opcode: Opcode, data: bytes, on_text: OnText, *, is_last: bool) -> None:
        if opcode is Opcode.BINARY:
            self.close(PROTOCOL_BROKEN, "Messages are JSON, as text.")
        if opcode not in (Opcode.TEXT, Opcode.CONT):
            return
        self._parts.append(data)
        if is_last:
            message, self._parts = b"".join(self._parts), []
            try:
                text = message.decode()
            except UnicodeDecodeError:
                self.close(PROTOCOL_BROKEN, "Text is UTF-8.")
            else:
                await on_text(text)

    async def _write(self) -> None:
        events = 0
        while True:
            message = await self.mailbox.next()
            self._send(message)
            events = 0 if isinstance(message, Picture) else events + 1
            if events in (0, _EVENTS_PER_PING):
                events = 0
                self._ping(message if isinstance(message, Picture) else None)
            await self._flush()
            while len(self._unanswered) >= _UNANSWERED_MAX:
                self._answered.clear()
                await self._answered.wait()

    def _ping(self, picture: Picture | None) -> None:
        self._pings += 1
        payload = str(self._pings).encode()
        self._unanswered.append((payload, picture))
        self._pinged_at = time.monotonic()
        self._protocol.send_ping(payload)

    def _on_pong(self, payload: bytes, on_delivered: Callable[[Picture], None]) -> None:
        """Answers those before it, too."""
        if all(sent != payload for sent, _ in self._unanswered):
            return
        answered = b""
        while answered != payload:
            answered, picture = self._unanswered.popleft()
            if picture is not None:
                on_delivered(picture)
        self._answered.set()

    def _send(self, message: Message) -> None:
        if isinstance(message, Picture):
            self._protocol.send_binary(message.jpeg)
        else:
            self._protocol.send_text(message.encode())

    async def _flush(self) -> None:
        self._write_out()
        had_to_wait = self._writer.transport.get_write_buffer_size() > 0
        await self._writer.drain()
        if had_to_wait:
            # A large picture is on its way, slowly.
            self._alive_at = time.monotonic()

    def _write_out(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            if now - self._alive_at > SILENCE_SECONDS:
                self.close(SILENT, "No sign of life.")
            elif now - self._pinged_at > PING_SECONDS and not self._unanswered:
                self._ping(None)
                self._write_out()

    async def _say_goodbye(self, *, reading: asyncio.Task[None]) -> None:
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                if self._protocol.state is State.OPEN:
                    self._protocol.send_close(*(self._closing or (GOING_AWAY, "")))
                self._write_out()
                await self._writer.drain()
                await asyncio.wait([reading])
