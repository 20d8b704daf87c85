import socket
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry

from fleet.errors import InternalError
from workers.browser_host.metrics_server import MetricsServer
from workers.metrics import WorkerCounts


@pytest.fixture
def registry() -> CollectorRegistry:
    return WorkerCounts().scraped()


@pytest.fixture
def server(registry: CollectorRegistry) -> Iterator[MetricsServer]:
    started = MetricsServer("127.0.0.1:0", registry)
    started.start()
    yield started
    started.stop()


def connect(server: MetricsServer) -> socket.socket:
    host, _, port = (server.address or "").rpartition(":")
    return socket.create_connection((host, int(port)))


def test_it_tells_its_address_and_answers_there(server: MetricsServer) -> None:
    answer = httpx.get(f"http://{server.address}/metrics", timeout=30)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "fleet_egress_blocked_total 0.0" in answer.text


def test_a_client_that_says_nothing_keeps_others_waiting_for_a_while_only(server: MetricsServer) -> None:
    with connect(server):
        assert httpx.get(f"http://{server.address}/metrics", timeout=60).status_code == 200


def test_a_client_that_says_nothing_does_not_keep_it_from_stopping(server: MetricsServer) -> None:
    with connect(server) as silent:
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            connect(server)


def test_an_address_that_is_taken_is_named_with_its_setting(server: MetricsServer, registry: CollectorRegistry) -> None:
    taken = server.address or ""
    with pytest.raises(InternalError, match=f"FLEET_METRICS_BIND is {taken}"):
        MetricsServer(taken, registry).start()


def test_one_that_listens_everywhere_says_where_others_find_it(registry: CollectorRegistry) -> None:
    everywhere = MetricsServer("0.0.0.0:0", registry)
    everywhere.start()
    address = everywhere.address or ""
    everywhere.stop()
    assert address.startswith(f"{socket.gethostname()}:")
