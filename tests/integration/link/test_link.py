"""A call over the socket: answered, failed, given up, cut off."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet.errors import BrowserUnavailable, CaptureTimeout, InternalError, NameNotResolved, OutputTooLarge
from tests.integration.link.conftest import Serve
from workers.link import protocol
from workers.link.client import HostClient
from workers.link.protocol import Message


async def echo(params: Message) -> Message:
    return {"echo": params}


class Endless:
    """A command that never ends by itself."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cleaned_up = threading.Event()

    async def __call__(self, _params: Message) -> Message:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            # As a context is closed: not done before it has been waited for.
            await asyncio.sleep(0.01)
            self.cleaned_up.set()
        raise AssertionError("never ends")


def send(path: Path, data: bytes) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(str(path))
    connection.sendall(data)
    return connection


def call_frame(command: str) -> bytes:
    return protocol.encode(protocol.request(command, {}, timeout_seconds=60))


def test_a_call_is_answered_with_the_command_s_result(serve: Serve) -> None:
    params = {"text": "grün", "number": 1.5, "list": [1, None, True]}
    assert serve(echo=echo).client.call("echo", params, timeout_seconds=5) == {"echo": params}


def test_bytes_arrive_as_they_were(serve: Serve) -> None:
    content = bytes(range(256)) * 40_000
    answer = serve(echo=echo).client.call("echo", {"content": content}, timeout_seconds=5)
    assert answer["echo"]["content"] == content


def test_an_error_of_the_command_is_raised_by_the_call(serve: Serve) -> None:
    async def fail(_params: Message) -> Message:
        raise NameNotResolved("No such host.", host="nowhere")

    with pytest.raises(NameNotResolved) as raised:
        serve(fail=fail).client.call("fail", {}, timeout_seconds=5)
    assert (raised.value.message, raised.value.details) == ("No such host.", {"host": "nowhere"})


def test_a_defect_of_the_command_is_an_internal_error_without_its_details(serve: Serve) -> None:
    async def fail(_params: Message) -> Message:
        raise ZeroDivisionError("secret")

    with pytest.raises(InternalError) as raised:
        serve(fail=fail).client.call("fail", {}, timeout_seconds=5)
    assert "secret" not in raised.value.message


def test_a_command_that_does_not_exist_is_an_internal_error(serve: Serve) -> None:
    with pytest.raises(InternalError):
        serve(echo=echo).client.call("missing", {}, timeout_seconds=5)


def test_two_calls_run_at_once(serve: Serve) -> None:
    both_are_here = asyncio.Barrier(2)

    async def meet(params: Message) -> Message:
        await both_are_here.wait()
        return params

    client = serve(meet=meet).client
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(client.call, "meet", {"number": number}, timeout_seconds=5) for number in (1, 2)]
        assert [call.result() for call in calls] == [{"number": 1}, {"number": 2}]


def test_a_command_that_outlasts_its_deadline_is_a_capture_timeout(serve: Serve) -> None:
    with pytest.raises(CaptureTimeout):
        serve(endless=Endless()).client.call("endless", {}, timeout_seconds=0.1)


def test_a_command_is_cleaned_up_before_its_timeout_is_told(serve: Serve) -> None:
    endless = Endless()
    with pytest.raises(CaptureTimeout):
        serve(endless=endless).client.call("endless", {}, timeout_seconds=0.1)
    assert endless.cleaned_up.is_set()


def test_a_client_that_goes_away_cancels_its_command(serve: Serve, socket_path: Path) -> None:
    endless = Endless()
    serve(endless=endless)
    connection = send(socket_path, call_frame("endless"))
    assert endless.begun.wait(10)
    connection.close()
    assert endless.cleaned_up.wait(10)


def test_a_client_that_goes_away_leaves_the_other_calls_alone(serve: Serve, socket_path: Path) -> None:
    gone, kept = Endless(), Endless()
    serve(gone=gone, kept=kept)
    leaving, staying = send(socket_path, call_frame("gone")), send(socket_path, call_frame("kept"))
    assert kept.begun.wait(10)
    leaving.close()
    assert gone.cleaned_up.wait(10)
    assert not kept.cleaned_up.is_set()
    staying.close()


def test_a_stopping_server_cancels_the_calls_that_run(serve: Serve) -> None:
    endless = Endless()
    server = serve(endless=endless)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(server.client.call, "endless", {}, timeout_seconds=60)
        assert endless.begun.wait(10)
        server.stop()
        assert endless.cleaned_up.is_set()
        with pytest.raises(BrowserUnavailable):
            call.result()


def test_a_host_that_is_being_replaced_is_waited_for(serve: Serve, socket_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        call = pool.submit(HostClient(socket_path).call, "echo", {}, timeout_seconds=5)
        with pytest.raises(TimeoutError):
            call.result(timeout=0.2)
        serve(echo=echo)
        assert call.result() == {"echo": {}}


def test_without_a_host_the_browser_is_unavailable(socket_path: Path) -> None:
    with pytest.raises(BrowserUnavailable):
        HostClient(socket_path, patience_seconds=0.1).call("echo", {}, timeout_seconds=1)


def test_an_answer_that_is_too_large_is_an_output_too_large(serve: Serve) -> None:
    async def much(_params: Message) -> Message:
        return {"content": bytes(protocol.FRAME_MAX_BYTES + 1)}

    with pytest.raises(OutputTooLarge):
        serve(much=much).client.call("much", {}, timeout_seconds=30)


def test_a_request_that_claims_to_be_too_large_is_cut_off(serve: Serve, socket_path: Path) -> None:
    serve(echo=echo)
    with send(socket_path, protocol.LENGTH.pack(protocol.FRAME_MAX_BYTES + 1)) as connection:
        assert connection.recv(1) == b""


def test_a_request_that_is_no_message_is_cut_off(serve: Serve, socket_path: Path) -> None:
    serve(echo=echo)
    with send(socket_path, protocol.LENGTH.pack(1) + b"\xc1") as connection:
        assert connection.recv(1) == b""


def test_nobody_else_may_use_the_socket(serve: Serve, socket_path: Path) -> None:
    serve(echo=echo)
    assert socket_path.stat().st_mode & 0o777 == 0o600


def test_a_socket_that_a_dead_host_left_is_taken_over(serve: Serve, socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path))
    assert serve(echo=echo).client.call("echo", {}, timeout_seconds=5) == {"echo": {}}
