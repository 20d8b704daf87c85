"""One viewer's socket, seen from its other end."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from app.viewers import connection
from app.viewers.connection import Connection
from app.viewers.handshake import answer
from app.viewers.mailbox import EVENTS_MAX, Mailbox, Picture

_HEADERS = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


class OtherEnd:
    """Reads and answers nothing by itself."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._protocol = Protocol(CLIENT, state=OPEN)
        self._came: list[Frame] = []

    async def open(self) -> None:
        self._socket.setblocking(False)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await asyncio.get_running_loop().sock_recv(self._socket, 1)
        assert head.startswith(b"HTTP/1.1 101 ")

    async def next(self) -> Frame:
        while not self._came:
            data = await asyncio.get_running_loop().sock_recv(self._socket, 65536)
            assert data, "closed"
            self._protocol.receive_data(data)
            # Its own answers are kept back.
            self._protocol.data_to_send()
            self._came = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
        return self._came.pop(0)

    async def next_of(self, opcode: Opcode) -> bytes:
        while (frame := await self.next()).opcode is not opcode:
            pass
        return bytes(frame.data)

    async def pong(self, payload: bytes) -> None:
        self._protocol.send_pong(payload)
        for data in self._protocol.data_to_send():
            await asyncio.get_running_loop().sock_sendall(self._socket, data)


Work = Callable[[OtherEnd, Mailbox, list[Picture]], Awaitable[None]]


def with_connection(work: Work) -> None:
    """Runs `work` with the other end of a connection, its mailbox, and what was delivered."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        mailbox, delivered = Mailbox(max_fps=1000), list[Picture]()
        served = Connection(ours, answer("/", _HEADERS), mailbox)

        async def ignore(_: str) -> None:
            return

        serving = asyncio.create_task(served.serve(on_text=ignore, on_delivered=delivered.append))
        other = OtherEnd(theirs)
        with theirs:
            async with asyncio.timeout(20):
                await other.open()
                await work(other, mailbox, delivered)
        await serving

    asyncio.run(run())


def a_picture(number: int) -> Picture:
    return Picture(number, 1280, 720, b"jpeg %d" % number)


async def _send(mailbox: Mailbox, numbers: range) -> None:
    for number in numbers:
        mailbox.put_picture(a_picture(number))
        # Each has its chance to leave.
        for _ in range(10):
            await asyncio.sleep(0)


def test_who_does_not_read_gets_the_newest_picture_when_it_does() -> None:
    async def work(other: OtherEnd, mailbox: Mailbox, delivered: list[Picture]) -> None:
        await _send(mailbox, range(1, 50))
        seen = []
        while (picture := await other.next_of(Opcode.BINARY)) != b"jpeg 49":
            seen.append(picture)
            await other.pong(await other.next_of(Opcode.PING))
        assert len(seen) == 2
        assert [picture.jpeg for picture in delivered] == seen

    with_connection(work)


def test_a_picture_is_delivered_when_its_ping_is_answered() -> None:
    async def work(other: OtherEnd, mailbox: Mailbox, delivered: list[Picture]) -> None:
        pings = []
        for number in (1, 2):
            await _send(mailbox, range(number, number + 1))
            pings.append(await other.next_of(Opcode.PING))
        await _send(mailbox, range(3, 4))
        assert delivered == []
        await other.pong(b"of somebody else")
        await other.pong(pings[0])
        assert await other.next_of(Opcode.BINARY) == b"jpeg 3"
        assert delivered == [a_picture(1)]

    with_connection(work)


def test_events_that_are_not_read_wait_up_to_the_bound() -> None:
    async def work(other: OtherEnd, mailbox: Mailbox, delivered: list[Picture]) -> None:
        for number in range(3 * EVENTS_MAX):
            mailbox.put_event(str(number))
            await asyncio.sleep(0)
        texts: list[bytes] = []
        while not texts or texts[-1] != str(3 * EVENTS_MAX - 1).encode():
            frame = await other.next()
            if frame.opcode is Opcode.TEXT:
                texts.append(bytes(frame.data))
            else:
                await other.pong(bytes(frame.data))
        assert len(texts) < 2 * EVENTS_MAX
        assert sum(b"events_dropped" in text for text in texts) == 1

    with_connection(work)


def test_who_gives_no_sign_of_life_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(connection, "PING_SECONDS", 0.1)
    monkeypatch.setattr(connection, "_LOOK_SECONDS", 0.1)

    async def work(other: OtherEnd, mailbox: Mailbox, delivered: list[Picture]) -> None:
        assert Close.parse(await other.next_of(Opcode.CLOSE)).code == 4408

    with_connection(work)


def test_who_answers_pings_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 4.0)
    monkeypatch.setattr(connection, "PING_SECONDS", 0.1)
    monkeypatch.setattr(connection, "_LOOK_SECONDS", 0.1)

    async def work(other: OtherEnd, mailbox: Mailbox, delivered: list[Picture]) -> None:
        # Longer than the silence that would end it.
        for _ in range(45):
            await other.pong(await other.next_of(Opcode.PING))
        mailbox.put_event("still here")
        assert await other.next_of(Opcode.TEXT) == b"still here"

    with_connection(work)
