"""Both clients against a server that fails them, over real sockets."""

import asyncio
import hashlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet_client import (
    Artifact,
    AsyncFleetClient,
    ConnectionFailed,
    FleetClient,
    NotTheApi,
    Retries,
    Unauthorized,
    Unavailable,
)
from tests.integration.client.unreliable_server import (
    Handler,
    UnreliableServer,
    hang_up,
    json_answer,
    refusal,
    unreliable_server,
)

_JOB = {"id": "job_a", "kind": "capture", "state": "queued", "queued_at": "2026-11-22T10:00:00Z"}
_PICTURE = b"picture" * 100_000
_ARTIFACT = Artifact.model_validate(
    {
        "id": "art_a",
        "kind": "screenshot",
        "media_type": "image/png",
        "bytes": len(_PICTURE),
        "sha256": hashlib.sha256(_PICTURE).hexdigest(),
        "expires_at": "2026-11-29T10:00:00Z",
        "url": "/api/artifacts/art_a",
    }
)

# Runs one call on a new client, whichever kind it is.
Ask = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[UnreliableServer]:
    with unreliable_server() as server:
        yield server


def _with_client(url: str, call: Callable[[FleetClient], Any], **options: Any) -> Any:
    with FleetClient(url, **options) as client:
        return call(client)


def _with_async_client(url: str, call: Callable[[AsyncFleetClient], Any], **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncFleetClient(url, **options) as client:
            result = call(client)
            return await result if inspect.isawaitable(result) else [entry async for entry in result]

    return asyncio.run(run())


@pytest.fixture(params=[_with_client, _with_async_client], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    asking: Ask = request.param
    return asking


def test_a_connection_that_breaks_is_made_anew(server: UnreliableServer, ask: Ask) -> None:
    server.will(hang_up, json_answer(_JOB))

    assert ask(server.url, lambda client: client.job("job_a")).id == "job_a"


def test_a_post_that_was_not_answered_is_sent_again_as_the_same(server: UnreliableServer, ask: Ask) -> None:
    server.will(hang_up, json_answer({"job": _JOB}, 202))
    ask(server.url, lambda client: client.submit("https://example.org/"))

    first, second = server.received
    assert (first.body, first.headers["idempotency-key"]) == (second.body, second.headers["idempotency-key"])
    assert first.body == b'{"url": "https://example.org/"}'


def test_nothing_is_sent_before_retry_after_is_over(server: UnreliableServer, ask: Ask) -> None:
    server.will(refusal(429, "rate_limited", Retry_After="2"), json_answer(_JOB))
    ask(server.url, lambda client: client.job("job_a"))

    first, second = server.received
    assert second.at - first.at >= 2


def test_who_allows_no_retries_gets_the_first_answer(server: UnreliableServer, ask: Ask) -> None:
    server.will(refusal(503, "no_workers", Retry_After="7"))

    with pytest.raises(Unavailable) as refused:
        ask(server.url, lambda client: client.job("job_a"), retries=Retries(times=0))
    assert refused.value.retry_after == 7


def test_a_download_that_breaks_off_is_begun_anew(server: UnreliableServer, ask: Ask, tmp_path: Path) -> None:
    def break_off(handler: Handler) -> None:
        handler.give(200, _PICTURE[:1000], promised=len(_PICTURE))

    server.will(break_off, lambda handler: handler.give(200, _PICTURE))
    path = ask(server.url, lambda client: client.download(_ARTIFACT, tmp_path / "page.png"))

    assert path.read_bytes() == _PICTURE
    assert list(tmp_path.iterdir()) == [path]


def test_a_download_that_was_refused_leaves_no_file(server: UnreliableServer, ask: Ask, tmp_path: Path) -> None:
    server.will(refusal(401, "unauthorized"))

    with pytest.raises(Unauthorized):
        ask(server.url, lambda client: client.download(_ARTIFACT, tmp_path / "page.png"))
    assert not list(tmp_path.iterdir())


def _break_off_archive(handler: Handler) -> None:
    handler.give_in_pieces(_PICTURE[:1000], to_its_end=False)


def test_an_archive_that_breaks_off_is_begun_anew(server: UnreliableServer, ask: Ask, tmp_path: Path) -> None:
    server.will(_break_off_archive, lambda handler: handler.give_in_pieces(_PICTURE))
    path = ask(server.url, lambda client: client.download_archive("bat_a", tmp_path / "all.zip"))

    assert path.read_bytes() == _PICTURE
    assert list(tmp_path.iterdir()) == [path]


def test_half_an_archive_does_not_pass_for_a_whole_one(server: UnreliableServer, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(b"of yesterday")
    server.will(_break_off_archive, _break_off_archive)

    with pytest.raises(ConnectionFailed):
        ask(server.url, lambda client: client.download_archive("bat_a", path), retries=Retries(times=1))
    assert path.read_bytes() == b"of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def test_the_key_is_sent_along(server: UnreliableServer, ask: Ask) -> None:
    server.will(json_answer(_JOB))
    ask(server.url, lambda client: client.job("job_a"), api_key="a-key")

    assert server.received[0].headers["authorization"] == "Bearer a-key"


def test_all_pages_of_a_list_are_asked_for(server: UnreliableServer, ask: Ask) -> None:
    server.will(
        json_answer({"jobs": [_JOB], "next_cursor": "further on"}),
        json_answer({"jobs": [_JOB | {"id": "job_b"}], "next_cursor": None}),
    )

    assert [job.id for job in ask(server.url, lambda client: _listed(client.jobs()))] == ["job_a", "job_b"]
    assert "cursor=further" in server.received[1].path


def _listed(entries: Any) -> Any:
    return entries if hasattr(entries, "__aiter__") else list(entries)


def test_another_servers_page_is_told_as_such(server: UnreliableServer, ask: Ask) -> None:
    server.will(lambda handler: handler.give(200, b"<h1>Welcome</h1>"))

    with pytest.raises(NotTheApi):
        ask(server.url, lambda client: client.status())


def test_a_fleet_that_is_not_ready_says_what_fails(server: UnreliableServer, ask: Ask) -> None:
    server.will(json_answer({"status": "failing", "ok": ["redis"], "failing": {"workers": "none"}}, 503))

    assert ask(server.url, lambda client: client.readiness()).failing == {"workers": "none"}


def test_an_address_where_nobody_is_is_told(ask: Ask) -> None:
    with pytest.raises(ConnectionFailed, match="Nothing answers at http"):
        ask("http://127.0.0.1:9", lambda client: client.status(), retries=Retries(times=1))


@pytest.mark.parametrize("url", ["", "ftp://example.org", "example.org:8080", "http://"])
def test_what_is_no_address_is_refused_at_once(ask: Ask, url: str) -> None:
    with pytest.raises(ValueError, match="not the address"):
        ask(url, lambda client: client.status())
