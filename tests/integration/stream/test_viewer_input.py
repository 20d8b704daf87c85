"""What viewers send: what reaches the host, what is refused, and what it is worth to the session."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis.client import PubSub

from fleet import keys
from fleet.store import Store
from tests.integration.stream.conftest import Watch
from tests.polling import eventually


@pytest.fixture
def host(store: Store, session_id: str) -> Iterator[PubSub]:
    """Listens to the session's viewers."""
    with store.client.pubsub(ignore_subscribe_messages=True) as listening:  # type: ignore[no-untyped-call]
        listening.subscribe(keys.session_asks(session_id))
        eventually(lambda: store.client.pubsub_numsub(keys.session_asks(session_id))[0][1])
        yield listening


def heard(host: PubSub) -> dict[str, Any]:
    message = eventually(lambda: host.get_message(timeout=0.1), 20)
    found: dict[str, Any] = json.loads(message["data"])
    return found


def test_input_reaches_the_host_in_its_order(watch: Watch, host: PubSub) -> None:
    viewer = watch()
    viewer.send(type="input", kind="click", x=10, y=20)
    viewer.send(type="input", kind="insert_text", text="hello")
    viewer.send(type="input", kind="wheel", deltaY=-100)
    asked = [heard(host)["input"] for _ in range(3)]
    assert asked[0] == {"kind": "click", "x": 10, "y": 20, "button": "left", "click_count": 1}
    assert asked[1] == {"kind": "insert_text", "text": "hello"}
    assert asked[2]["delta_y"] == -100


@pytest.mark.parametrize(
    ("message", "code", "named"),
    [
        ({"kind": "tap"}, "invalid_request", "kind"),
        ({}, "invalid_request", "kind"),
        ({"kind": "press"}, "invalid_request", "key"),
        ({"kind": "click", "x": "10", "y": 20}, "invalid_request", "x"),
        ({"kind": "click", "x": 10, "y": 20, "buton": "left"}, "invalid_request", "buton"),
        ({"kind": "goto", "url": "file:///etc/passwd"}, "invalid_url", "url"),
        ({"kind": "insert_text", "text": "\ud800"}, "invalid_request", "text"),
    ],
)
def test_bad_input_is_refused_and_the_stream_goes_on(
    watch: Watch, host: PubSub, message: dict[str, Any], code: str, named: str
) -> None:
    viewer = watch()
    viewer.send(type="input", **message)
    refusal = viewer.event("input")
    assert (refusal["name"], refusal["code"], refusal["kind"]) == ("refused", code, message.get("kind"))
    assert refusal["message"].startswith(f"{named}: ")
    viewer.send(type="input", kind="reload")
    assert heard(host)["input"] == {"kind": "reload"}


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"type": "output"}', "[" * 5000])
def test_who_sends_no_message_is_closed(watch: Watch, text: str) -> None:
    viewer = watch()
    viewer.socket.send(text)
    assert viewer.close_code()[0] == 1008


def test_who_sends_bytes_is_closed(watch: Watch) -> None:
    viewer = watch()
    viewer.socket.send(b"input")
    assert viewer.close_code()[0] == 1008


def test_a_message_that_is_too_large_ends_the_stream(watch: Watch) -> None:
    viewer = watch()
    viewer.send(type="input", kind="insert_text", text="a" * 70_000)
    assert viewer.close_code()[0] == 1009


def test_a_read_only_stream_takes_no_input(watch: Watch, store: Store, session_id: str) -> None:
    viewer = watch(read_only=1)
    viewer.send(type="input", kind="reload")
    assert viewer.event("input")["code"] == "stream_read_only"


def test_a_refusal_reaches_only_the_one_who_asked(watch: Watch, host: PubSub, store: Store, session_id: str) -> None:
    asking, other = watch(), watch()
    asking.send(type="input", kind="press", key="Nope")
    ask = heard(host)
    facts = {"viewer_id": ask["viewer_id"], "kind": "press", "code": "invalid_request", "message": "no such key"}
    store.events.publish(session_id, "input", "refused", **facts)
    store.events.publish(session_id, "page", "loaded")
    assert asking.next() == {
        "type": "input", "name": "refused", "kind": "press", "code": "invalid_request", "message": "no such key",
    }  # fmt: skip
    assert isinstance(loaded := other.next(), dict)
    assert loaded["name"] == "loaded"


def test_input_that_no_host_hears_is_refused_in_the_end(watch: Watch) -> None:
    viewer = watch()
    viewer.send(type="input", kind="reload")
    assert viewer.event("input")["code"] == "browser_unavailable"


def test_input_is_a_use_of_the_session_and_watching_is_none(
    watch: Watch, host: PubSub, store: Store, session_id: str
) -> None:
    before = store.sessions.get(session_id)
    assert before is not None
    viewer = watch()
    watched = store.sessions.get(session_id)
    assert watched is not None
    assert watched.last_used_at == before.last_used_at
    viewer.send(type="input", kind="reload")
    heard(host)
    used = store.sessions.get(session_id)
    assert used is not None
    assert used.last_used_at > before.last_used_at


def test_much_input_is_one_use_for_a_while(watch: Watch, host: PubSub, store: Store, session_id: str) -> None:
    viewer = watch()
    uses = set()
    for _ in range(5):
        viewer.send(type="input", kind="reload")
        heard(host)
        session = store.sessions.get(session_id)
        assert session is not None
        uses.add(session.last_used_at)
    assert len(uses) == 1
