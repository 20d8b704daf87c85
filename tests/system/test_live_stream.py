"""Watching and driving a session of a whole fleet, over its WebSocket."""

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.system.conftest import RunningFleet

_SECONDS = 60
# Reports where the field is, as a person sees it.
_REPORT = """addEventListener("load", () => {
  const field = document.getElementById("username")?.getBoundingClientRect();
  if (field) console.log(JSON.stringify({x: field.x + field.width / 2, y: field.y + field.height / 2}));
})"""


@pytest.fixture
def session_id(api: httpx.Client, site: str) -> Iterator[str]:
    answer = api.post("/api/sessions?wait=60", json={"url": site, "scripts": [_REPORT]}).json()
    session_id: str = answer["session"]["id"]
    yield session_id
    api.delete(f"/api/sessions/{session_id}")


@pytest.fixture
def stream(fleet: RunningFleet, session_id: str) -> Iterator[ClientConnection]:
    url = fleet.url.replace("http", "ws", 1)
    with connect(
        f"{url}/api/sessions/{session_id}/stream?frames=1&max_width=640", open_timeout=_SECONDS, close_timeout=1
    ) as opened:
        yield opened


def events_until(stream: ClientConnection, *wanted: tuple[str, str]) -> list[dict[str, Any]]:
    """Until each of `wanted` has come: those of jobs and those of pages have no order between them."""
    told: list[dict[str, Any]] = []
    while not set(wanted) <= {(event["type"], event["name"]) for event in told}:
        try:
            message = stream.recv(timeout=_SECONDS)
        except TimeoutError:
            pytest.fail(f"not all of {wanted} came, only {told}")
        if isinstance(message, str):
            told.append(json.loads(message))
    return told


def next_event(stream: ClientConnection, of: str, name: str, **facts: Any) -> dict[str, Any]:
    while True:
        message = stream.recv(timeout=_SECONDS)
        if isinstance(message, str):
            event: dict[str, Any] = json.loads(message)
            if event | {"type": of, "name": name, **facts} == event:
                return event


def next_picture(stream: ClientConnection) -> Image.Image:
    while True:
        message = stream.recv(timeout=_SECONDS)
        if isinstance(message, bytes):
            return Image.open(io.BytesIO(message))


def send(stream: ClientConnection, kind: str, **fields: Any) -> None:
    stream.send(json.dumps({"type": "input", "kind": kind, **fields}))


def test_a_viewer_sees_the_page_as_it_is_and_as_it_becomes(
    api: httpx.Client, site: str, session_id: str, stream: ClientConnection
) -> None:
    assert json.loads(stream.recv(timeout=_SECONDS)) == {"type": "viewport", "width": 1280, "height": 720}
    first = next_picture(stream)
    api.post(f"/api/sessions/{session_id}/captures", json={"url": f"{site}/table"})
    told = events_until(stream, ("job", "succeeded"), ("page", "navigated"))
    assert [event["name"] for event in told if event["type"] == "job"] == ["queued", "running", "succeeded"]
    assert [event["url"] for event in told if (event["type"], event["name"]) == ("page", "navigated")] == [
        f"{site}/table"
    ]
    assert (first.format, first.width) == ("JPEG", 640)


def test_a_viewer_logs_in_by_hand_and_the_next_capture_is_that_user_s(
    api: httpx.Client, site: str, session_id: str, stream: ClientConnection
) -> None:
    send(stream, "goto", url=f"{site}/login")
    where = json.loads(next_event(stream, "console", "log")["text"])
    send(stream, "click", **where)
    send(stream, "insert_text", text="ada")
    send(stream, "press", key="Tab")
    send(stream, "insert_text", text="lovelace")
    send(stream, "press", key="Enter")
    next_event(stream, "page", "loaded", url=f"{site}/account")
    body = {"url": f"{site}/account/orders", "outputs": [{"kind": "html"}]}
    job = api.post(f"/api/sessions/{session_id}/captures?wait=60", json=body).json()["job"]
    assert job["result"]["final_url"] == f"{site}/account/orders"


def test_a_view_link_shows_and_takes_no_input(fleet: RunningFleet, api: httpx.Client, session_id: str) -> None:
    link = api.post(f"/api/sessions/{session_id}/view_links", json={"ttl": 60}).json()
    token = link["url"].removeprefix(f"{fleet.url}/view/")
    url = fleet.url.replace("http", "ws", 1)
    with connect(f"{url}/api/sessions/{session_id}/stream?frames=1&view={token}", open_timeout=_SECONDS) as viewer:
        assert next_picture(viewer).format == "JPEG"
        send(viewer, "reload")
        assert next_event(viewer, "input", "refused")["code"] == "stream_read_only"


def test_a_stream_ends_with_its_session(api: httpx.Client, session_id: str, stream: ClientConnection) -> None:
    api.delete(f"/api/sessions/{session_id}")
    with pytest.raises(ConnectionClosed) as closed:
        next_event(stream, "session", "never")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4410, "deleted")
