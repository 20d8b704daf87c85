import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fleet_client import (
    Artifact,
    AsyncFleetClient,
    ConnectionFailed,
    DamagedDownload,
    FleetClient,
    NotTheApi,
    PageError,
    Retries,
    StillRunning,
    calls,
)
from fleet_client.exchange import Call, Reply, Request, Result, Send

_RETRIES = Retries()


class Conversation:
    """Runs a call against answers that stand fixed."""

    def __init__(self, *answers: Reply | Exception, content: bytes = b"") -> None:
        self.sent: list[Request] = []
        self._answers = list(answers)
        self._content = content

    def result_of(self, call: Call[Result]) -> Result:
        try:
            send = next(call)
            while True:
                answer = self._answer(send)
                send = call.throw(answer) if isinstance(answer, Exception) else call.send(answer)
        except StopIteration as end:
            result: Result = end.value
            return result

    def _answer(self, send: Send) -> Reply | Exception:
        self.sent.append(send.request)
        if send.sink is not None:
            send.sink.restart()
            send.sink.write(self._content)
        return self._answers.pop(0)


def _job(state: str, **fields: Any) -> dict[str, Any]:
    return {"id": "job_a", "kind": "capture", "state": state, "queued_at": "2026-11-22T10:00:00Z", **fields}


def _reply(body: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, {"x-request-id": "req_1"}, json.dumps(body).encode())


def test_a_post_that_is_sent_again_has_the_same_key() -> None:
    talk = Conversation(ConnectionFailed("broke"), _reply({"job": _job("queued")}, 202))
    talk.result_of(calls.submit({}, None, None, _RETRIES))

    first, second = (request.headers["Idempotency-Key"] for request in talk.sent)
    assert first == second


def test_two_posts_have_two_keys() -> None:
    keys = set()
    for _ in range(2):
        talk = Conversation(_reply({"job": _job("queued")}, 202))
        talk.result_of(calls.submit({}, None, None, _RETRIES))
        keys.add(talk.sent[0].headers["Idempotency-Key"])

    assert len(keys) == 2


def test_a_capture_is_waited_for_until_it_has_ended() -> None:
    talk = Conversation(
        _reply({"job": _job("queued")}, 202), _reply(_job("running")), _reply(_job("succeeded", session_id="ses_a"))
    )
    job = talk.result_of(calls.capture({}, None, None, 300, _RETRIES))

    assert job.state == "succeeded"
    assert [(request.method, request.path) for request in talk.sent] == [
        ("POST", "/api/captures"),
        ("GET", "/api/jobs/job_a"),
        ("GET", "/api/jobs/job_a"),
    ]
    assert all(0 < float(request.query["wait"]) <= 30 for request in talk.sent)


def test_a_capture_that_takes_longer_than_the_caller_waits_is_told_with_its_job() -> None:
    talk = Conversation(_reply({"job": _job("queued")}, 202), _reply(_job("running")))

    with pytest.raises(StillRunning) as left:
        talk.result_of(calls.capture({}, None, None, 0, _RETRIES))
    assert left.value.job.state == "running"


def test_the_error_of_a_job_is_raised_with_the_request_that_made_it() -> None:
    error = {"code": "name_not_resolved", "message": "m", "details": {"host": "h"}}
    talk = Conversation(_reply({"job": _job("failed", error=error)}))

    with pytest.raises(PageError) as raised:
        talk.result_of(calls.capture({}, None, None, 60, _RETRIES))
    assert (raised.value.code, raised.value.details, raised.value.request_id) == (
        "name_not_resolved",
        {"host": "h"},
        "req_1",
    )
    assert raised.value.job is not None


def test_fields_of_a_newer_fleet_are_kept() -> None:
    talk = Conversation(_reply(_job("queued", mood="fine")))

    assert talk.result_of(calls.job("job_a", _RETRIES)).to_json()["mood"] == "fine"


def test_an_answer_of_another_shape_is_told_as_such() -> None:
    with pytest.raises(NotTheApi):
        Conversation(_reply({"hello": "world"})).result_of(calls.job("job_a", _RETRIES))


def test_an_id_cannot_lead_to_another_path() -> None:
    talk = Conversation(_reply(_job("queued")))
    talk.result_of(calls.job("../status?x", _RETRIES))

    assert talk.sent[0].path == "/api/jobs/..%2Fstatus%3Fx"


def _artifact(content: bytes) -> Artifact:
    return Artifact.model_validate(
        {
            "id": "art_a",
            "kind": "screenshot",
            "media_type": "image/png",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "expires_at": "2026-11-29T10:00:00Z",
            "url": "/api/artifacts/art_a",
        }
    )


def test_a_download_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    talk = Conversation(Reply(200, {}), content=b"picture")
    path = talk.result_of(calls.download(_artifact(b"picture"), tmp_path / "new" / "page.png", _RETRIES))

    assert path.read_bytes() == b"picture"
    assert list(path.parent.iterdir()) == [path]


def test_a_download_that_broke_begins_anew(tmp_path: Path) -> None:
    talk = Conversation(ConnectionFailed("broke"), Reply(200, {}), content=b"picture")
    path = talk.result_of(calls.download(_artifact(b"picture"), tmp_path / "page.png", _RETRIES))

    assert path.read_bytes() == b"picture"


def test_damaged_bytes_leave_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(b"before")

    with pytest.raises(DamagedDownload):
        Conversation(Reply(200, {}), content=b"pictuer").result_of(
            calls.download(_artifact(b"picture"), path, _RETRIES)
        )
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_asked_for_by_id_alone_are_checked_by_their_etag() -> None:
    etag = f'"{hashlib.sha256(b"picture").hexdigest()}"'

    assert Conversation(Reply(200, {"etag": etag}), content=b"picture").result_of(
        calls.read("art_a", _RETRIES)
    ) == b"picture"  # fmt: skip
    with pytest.raises(DamagedDownload):
        Conversation(Reply(200, {"etag": etag}), content=b"pictuer").result_of(calls.read("art_a", _RETRIES))


@pytest.mark.parametrize("archive_format", ["zip", "warc"])
def test_an_archive_is_asked_for_in_its_format(tmp_path: Path, archive_format: calls.ArchiveFormat) -> None:
    talk = Conversation(Reply(200, {}), content=b"archive")
    path = talk.result_of(calls.download_archive("bat_a", tmp_path / "all", archive_format, _RETRIES))

    assert talk.sent[0].query == {"format": archive_format}
    assert path.read_bytes() == b"archive"


def test_only_the_filters_that_were_given_are_sent() -> None:
    talk = Conversation(_reply({"responses": [], "next_cursor": None}))
    talk.result_of(calls.responses("ses_a", {"status": "4xx", "url": None}, None, _RETRIES))

    assert talk.sent[0].query == {"limit": "200", "status": "4xx"}


def test_a_script_is_not_added_twice() -> None:
    talk = Conversation(ConnectionFailed("broke"))

    with pytest.raises(ConnectionFailed):
        talk.result_of(calls.add_script("ses_a", "window.seen = true", _RETRIES))
    assert len(talk.sent) == 1


def test_every_call_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/client.md").read_text()
    _, _, table = page.partition("| calls | of |\n|---|---|\n")
    listed = re.findall(r"`(\w+)`", table.partition("\n\n")[0])
    there = {name for name, member in vars(FleetClient).items() if callable(member) and not name.startswith("_")}

    assert sorted(listed) == sorted(there - {"call", "close"})


def test_both_clients_have_the_same_calls() -> None:
    def signatures(client: type) -> dict[str, list[inspect.Parameter]]:
        return {
            name: list(inspect.signature(method).parameters.values())
            for name, method in vars(client).items()
            if not name.startswith("_")
        }

    assert signatures(AsyncFleetClient) == signatures(FleetClient)
