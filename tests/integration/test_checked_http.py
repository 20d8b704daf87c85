"""What a server may do to whoever asks it: nothing lasts longer than its deadline."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fleet.checked_http import CheckedHttp
from fleet.egress import parse_policy
from fleet.errors import ConnectionFailed

HTTP = CheckedHttp(parse_policy("127.0.0.1"))
HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def a_trickle(at_once: bytes, then: bytes) -> Iterator[str]:
    """The URL of a server that never ends its answer, and never lets one wait long for the next byte."""
    stop = threading.Event()

    def trickle() -> None:
        connection, _ = server.accept()
        with connection:
            try:
                connection.sendall(at_once)
                while not stop.wait(0.05):
                    connection.sendall(then)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=trickle)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            stop.set()
            serving.join()


def get(url: str) -> None:
    with HTTP.get(url, deadline=time.monotonic() + 0.5) as body:
        for _ in body:
            pass


def post(url: str) -> None:
    HTTP.post(url, b"{}", {}, deadline=time.monotonic() + 0.5)


@pytest.mark.parametrize("ask", [get, post])
def test_an_answer_that_comes_byte_by_byte_is_cut_off(ask: Callable[[str], None]) -> None:
    with a_trickle(b"", b"H") as url, pytest.raises(ConnectionFailed, match="too long"):
        ask(url)


@pytest.mark.parametrize("then", [b"X", b"X: 1\r\n"], ids=["one", "many"])
def test_headers_that_come_byte_by_byte_are_cut_off(then: bytes) -> None:
    with a_trickle(HEAD, then) as url, pytest.raises(ConnectionFailed, match="too long"):
        get(url)


@pytest.mark.parametrize(
    ("headers", "then"),
    [
        (b"Content-Length: 1000000\r\n\r\n", b"a"),
        (b"Connection: close\r\n\r\n", b"a"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["of known length", "of unknown length", "in chunks", "in one chunk"],
)
def test_a_body_that_comes_byte_by_byte_is_cut_off_and_not_taken_for_whole(headers: bytes, then: bytes) -> None:
    with a_trickle(HEAD + headers, then) as url, pytest.raises(ConnectionFailed, match="too long"):
        get(url)
