"""What viewers get, whichever replica they are connected to, and what of them is known."""

import base64
import json
import os
import signal
from typing import Any

import pytest

from fleet import keys
from fleet.models.session import EndReason
from fleet.models.viewer import FrameWishes
from fleet.store import Store
from fleet.store.frames import Frame
from tests.integration.as_worker import fail
from tests.integration.stream.conftest import VIEWER_LIMIT, Watch
from tests.integration.stream.viewer import Refused, Viewer
from tests.integration.worker.api_process import Api
from tests.polling import eventually


def a_frame(number: int, picture: bytes = b"jpeg") -> Frame:
    return Frame(number, 1280, 720, base64.b64encode(picture).decode())


def test_a_viewer_hears_what_its_session_tells(watch: Watch, store: Store, session_id: str) -> None:
    viewer = watch()
    store.events.publish("ses_other", "page", "loaded", url="http://other.example/")
    store.events.publish(session_id, "page", "loaded", url="http://a.example/")
    event = viewer.event("page")
    assert {**event, "at": ""} == {
        "type": "page", "name": "loaded", "session_id": session_id, "at": "", "url": "http://a.example/",
    }  # fmt: skip


def test_frames_come_after_the_viewport_to_who_wants_them(watch: Watch, store: Store, session_id: str) -> None:
    viewer, of_events = watch(frames=1), watch()
    store.frames.publish(session_id, a_frame(1, b"one"))
    assert viewer.event("viewport") == {"type": "viewport", "width": 1280, "height": 720}
    assert viewer.picture() == b"one"
    store.events.publish(session_id, "page", "loaded")
    assert of_events.next() == viewer.event("page")


def test_a_late_viewer_gets_the_last_frame_at_once(watch: Watch, other_api: Api, store: Store, session_id: str) -> None:
    watch(frames=1)
    store.frames.publish(session_id, a_frame(1, b"last"))
    assert watch(frames=1).picture() == b"last"
    assert watch(other_api, frames=1).picture() == b"last"


def test_a_frame_is_acknowledged_when_a_viewer_has_it(watch: Watch, store: Store, session_id: str) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as host:  # type: ignore[no-untyped-call]
        host.subscribe(keys.session_asks(session_id))
        eventually(lambda: store.client.pubsub_numsub(keys.session_asks(session_id))[0][1])
        viewer = watch(frames=1)
        store.frames.publish(session_id, a_frame(7))
        viewer.picture()
        message = eventually(lambda: host.get_message(timeout=0.1), 20)
    assert json.loads(message["data"]) == {"ask": "delivered", "frame": 7}


def test_what_viewers_wish_is_known_to_the_host(watch: Watch, store: Store, session_id: str) -> None:
    watch(frames=1, quality=80, max_fps=5, max_width=640)
    (viewer,) = store.viewers.of_sessions([session_id])[session_id]
    assert viewer.frames == FrameWishes(quality=80, max_fps=5, max_width=640)


def test_viewers_are_counted_over_all_replicas_and_gone_when_they_close(
    watch: Watch, other_api: Api, store: Store, session_id: str
) -> None:
    here, there = watch(), watch(other_api)
    assert (store.viewers.count(), store.viewers.count_of(session_id)) == (2, 2)
    here.close()
    there.close()
    eventually(lambda: store.viewers.count() == store.viewers.count_of(session_id) == 0, 20)


def test_a_viewer_whose_socket_is_cut_off_is_gone_from_the_count(watch: Watch, store: Store) -> None:
    viewer = watch()
    viewer.socket.socket.shutdown(2)
    eventually(lambda: store.viewers.count() == 0, 20)


def test_no_more_may_watch_than_the_limit_over_all_replicas(watch: Watch, other_api: Api) -> None:
    for number in range(VIEWER_LIMIT):
        watch(other_api) if number % 2 else watch()
    with pytest.raises(Refused) as refused:
        watch()
    assert (refused.value.status, refused.value.error["code"]) == (429, "viewer_limit_reached")
    assert int(refused.value.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"quality": 0}, 400, "invalid_request"),
        ({"fps": 5}, 400, "invalid_request"),
        ({"view": "forged"}, 401, "view_link_invalid"),
    ],
)
def test_a_bad_request_is_refused_before_the_upgrade(
    watch: Watch, store: Store, query: dict[str, Any], status: int, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        watch(**query)
    assert (refused.value.status, refused.value.error["code"]) == (status, code)
    assert refused.value.error["request_id"]
    assert store.viewers.count() == 0


def test_a_session_that_never_was_is_refused(api: Api) -> None:
    with pytest.raises(Refused) as refused:
        Viewer(api, "ses_none")
    assert (refused.value.status, refused.value.error["code"]) == (404, "session_not_found")


def test_a_session_that_has_ended_is_refused(watch: Watch, store: Store, session_id: str) -> None:
    store.sessions.end(session_id, EndReason.DELETED)
    with pytest.raises(Refused) as refused:
        watch()
    assert (refused.value.status, refused.value.error["code"]) == (410, "session_ended")


def test_a_plain_request_is_told_that_this_is_a_websocket(api: Api, session_id: str) -> None:
    answer = api.get(f"/api/sessions/{session_id}/stream")
    assert (answer.status_code, answer.json()["error"]["code"]) == (426, "upgrade_required")


def test_viewers_are_told_why_the_session_ended(watch: Watch, store: Store, session_id: str) -> None:
    viewer = watch()
    store.sessions.end(session_id, EndReason.MEMORY)
    assert viewer.event("session")["end_reason"] == "memory"
    assert viewer.close_code() == (4410, "memory")


def test_a_session_that_idles_out_ends_its_streams_though_it_is_watched(
    watch: Watch, store: Store, session_id: str
) -> None:
    assert store.sessions.ensure_expiry_is_told()
    viewer = watch(frames=1)
    store.sessions.use(session_id, ttl=1)
    assert viewer.close_code() == (4410, "idle")


def test_an_api_that_stops_says_so_and_gives_its_viewers_back(own_api: Api, watch: Watch, store: Store) -> None:
    viewer = watch(own_api)
    assert own_api._process is not None
    os.kill(own_api._process.pid, signal.SIGTERM)
    assert viewer.close_code()[0] == 1001
    assert own_api._process.wait(30) == 0
    assert store.viewers.count() == 0


def test_viewers_of_a_killed_api_are_not_counted_for_long(
    own_api: Api, watch: Watch, store: Store, session_id: str
) -> None:
    watch(own_api)
    own_api.kill()
    assert 0 < store.client.ttl(keys.VIEWERS) <= 30
    assert 0 < store.client.ttl(keys.session_viewers(session_id)) <= 30


def test_the_stream_goes_on_after_redis_was_away_for_a_moment(watch: Watch, store: Store, session_id: str) -> None:
    viewer = watch(frames=1)
    store.client.client_kill_filter(_type="pubsub")
    eventually(lambda: store.client.pubsub_numsub(keys.session_frames(session_id))[0][1] == 1, 20)
    store.frames.publish(session_id, a_frame(1, b"after"))
    assert viewer.picture() == b"after"


def test_jobs_of_the_session_are_told(api: Api, watch: Watch, store: Store, session_id: str) -> None:
    viewer = watch()
    job_id = api.post(f"/api/sessions/{session_id}/captures", {"url": "http://a.example/"}).json()["job"]["id"]
    fail(store, job_id, "tls_error", "why")
    events = [viewer.event("job") for _ in range(3)]
    assert [(event["name"], event["job_id"], event["kind"]) for event in events] == [
        (name, job_id, "capture") for name in ("queued", "running", "failed")
    ]
    assert events[2]["error"] == {"code": "tls_error", "message": "why"}
