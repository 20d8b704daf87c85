"""Links that let somebody watch one session for a while."""

from typing import Any

import pytest

from fleet.models.session import EndReason
from fleet.store import Store
from tests.integration.as_worker import open_session
from tests.integration.stream.conftest import Watch
from tests.integration.stream.viewer import Refused, Viewer
from tests.integration.worker.api_process import Api
from tests.polling import eventually


def token_of(api: Api, session_id: str, **body: Any) -> str:
    answer = api.post(f"/api/sessions/{session_id}/view_links", body)
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["url"]
    assert url.startswith(f"{api.url}/view/")
    return url.removeprefix(f"{api.url}/view/")


def test_a_link_opens_a_stream_that_takes_no_input(api: Api, watch: Watch, session_id: str) -> None:
    viewer = watch(view=token_of(api, session_id))
    viewer.send(type="input", kind="reload")
    assert viewer.event("input")["code"] == "stream_read_only"


def test_a_link_holds_at_every_replica_that_shares_the_key(
    api: Api, other_api: Api, watch: Watch, session_id: str
) -> None:
    watch(other_api, view=token_of(api, session_id))


def test_an_expired_link_is_refused(api: Api, watch: Watch, session_id: str) -> None:
    token = token_of(api, session_id, ttl=1)

    def refusal() -> Refused | None:
        try:
            watch(view=token).close()
        except Refused as refused:
            return refused
        return None

    refused = eventually(refusal, 20)
    assert refused is not None
    assert (refused.status, refused.error["code"]) == (401, "view_link_invalid")
    assert "expired" in refused.error["message"]


def test_a_forged_link_is_refused(api: Api, watch: Watch, session_id: str) -> None:
    token = token_of(api, session_id)
    payload, signature = token.split(".")
    with pytest.raises(Refused) as refused:
        watch(view=f"{payload[:-2]}aa.{signature}")
    assert refused.value.status == 401


def test_a_link_opens_no_other_session(api: Api, store: Store, session_id: str) -> None:
    other = api.post("/api/sessions", {}).json()
    open_session(store, other["session"]["id"], other["job"]["id"])
    with pytest.raises(Refused) as refused:
        Viewer(api, other["session"]["id"], view=token_of(api, session_id))
    assert refused.value.status == 401


@pytest.mark.parametrize("ttl", [0, -1, 604_801, "60", 1.5])
def test_a_link_lives_for_a_week_at_most(api: Api, session_id: str, ttl: Any) -> None:
    answer = api.post(f"/api/sessions/{session_id}/view_links", {"ttl": ttl})
    assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (400, "ttl")


def test_there_is_no_link_to_a_session_that_has_ended(api: Api, store: Store, session_id: str) -> None:
    store.sessions.end(session_id, EndReason.DELETED)
    assert api.post(f"/api/sessions/{session_id}/view_links", {}).status_code == 410
