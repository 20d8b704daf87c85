"""What all programs of a fleet write while they are used, stopped and hurt: lines of JSON, and no secret in them."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.polling import eventually
from tests.system.conftest import RunningFleet, start_fleet
from tests.system.processes import wait_for_exit

Json = dict[str, Any]

# Each in a place of its own, so that a leak says where.
_SECRETS = {
    name: f"hunter2-{name}"
    for name in (
        "header",
        "cookie",
        "query",
        "basic",
        "extra",
        "storage",
        "local",
        "userinfo",
        "page",
        "view",
        "flower",
    )
}
_STOP_SECONDS = 60


@dataclass(frozen=True)
class Told:
    """What a fleet logged from its start to its end."""

    raw: str
    stdout: str
    request_id: str
    session_id: str
    jobs: dict[str, str]

    @property
    def lines(self) -> list[Json]:
        return [json.loads(line) for line in self.raw.splitlines()]

    def said(self, event: str) -> list[Json]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, site: str) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("logged")
    errors = folder / "errors.log"
    fleet = start_fleet(
        folder,
        errors=errors,
        FLEET_LOG_FORMAT="json",
        FLEET_LOG_LEVEL="DEBUG",
        FLEET_FLOWER_AUTH=f"ops:{_SECRETS['flower']}",
    )
    try:
        yield _use(fleet, site, errors)
    finally:
        fleet.launched.kill_all()


def _use(fleet: RunningFleet, site: str, errors: Path) -> Told:
    request_id = "req-of-the-log-test"
    headers = {
        "X-Request-Id": request_id,
        "Authorization": f"Bearer {_SECRETS['header']}",
        "Cookie": f"sid={_SECRETS['cookie']}",
    }
    with httpx.Client(base_url=fleet.url, headers=headers, timeout=90) as api:
        created = api.post("/api/sessions", params={"wait": 60}, json=_session(site)).json()
        session_id = created["session"]["id"]
        captures = f"/api/sessions/{session_id}/captures"
        url = f"{site}/article?token={_SECRETS['page']}"
        captured = api.post(captures, params={"wait": 60}, json={"url": url}).json()
        with_password = site.replace("://", f"://user:{_SECRETS['userinfo']}@")
        assert api.post(captures, json={"url": with_password}).status_code == 400
        assert api.get("/api/jobs", params={"access_token": _SECRETS["query"]}).status_code == 400
        api.get(f"/view/{_SECRETS['view']}")
        _hurt(fleet, errors)
        # Chrome is back, and with it the session.
        again = api.post(captures, params={"wait": 60}, json={"url": f"{site}/"}).json()
        assert again["job"]["state"] == "succeeded", again
    for auth in (None, ("ops", "wrong"), ("ops", _SECRETS["flower"])):
        httpx.get(f"{fleet.flower}/workers", auth=auth, timeout=30)
    fleet.launched.interrupt()
    wait_for_exit(fleet.launched, _STOP_SECONDS)
    jobs = {"creation": created["job"]["id"], "capture": captured["job"]["id"]}
    return Told(errors.read_text(), fleet.launched.output(), request_id, session_id, jobs)


def _session(site: str) -> Json:
    return {
        "http_credentials": {"username": "u", "password": _SECRETS["basic"]},
        "extra_http_headers": {"X-Api-Key": _SECRETS["extra"]},
        "storage_state": {
            "cookies": [{"name": "sid", "value": _SECRETS["storage"], "url": site}],
            "origins": [{"origin": site, "localStorage": [{"name": "token", "value": _SECRETS["local"]}]}],
        },
    }


def _hurt(fleet: RunningFleet, errors: Path) -> None:
    """Chrome is killed, and a pool child."""
    living = fleet.launched.living()
    chrome = min(pid for pid, command in living.items() if "headless-shell" in command)
    os.kill(chrome, signal.SIGKILL)
    eventually(lambda: chrome not in fleet.launched.living(), seconds=30)
    pool = sorted(pid for pid, command in living.items() if "celery" in command and "worker" in command)
    os.kill(pool[-1], signal.SIGKILL)
    eventually(lambda: f"pid:{pool[-1]} exited with" in errors.read_text(), seconds=30)


def test_every_line_of_every_program_is_json(told: Told) -> None:
    assert {"api", "worker", "browser_host", "flower"} <= {line["part"] for line in told.lines}
    assert all({"event", "level", "timestamp", "part"} <= line.keys() for line in told.lines)


def test_nothing_but_the_launcher_s_own_words_goes_elsewhere(told: Told) -> None:
    known = ("Capture Fleet is up", "  API  ", "  Flower  ", "Ctrl-C", "Stopped.")
    assert [line for line in told.stdout.splitlines() if line and not line.startswith(known)] == []


@pytest.mark.parametrize("place", _SECRETS)
def test_no_secret_is_in_any_of_them(told: Told, place: str) -> None:
    assert [line for line in told.raw.splitlines() if _SECRETS[place] in line] == []
    encoded = base64.b64encode(f"ops:{_SECRETS['flower']}".encode()).decode()
    assert encoded not in told.raw


def test_a_graceful_stop_and_expected_losses_leave_no_traceback(told: Told) -> None:
    assert [line for line in told.lines if "exception" in line] == []


def test_each_request_has_a_line(told: Told) -> None:
    lines = [line for line in told.said("request") if line["request"] == told.request_id and line["route"]]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/api/sessions", 201),
        ("POST", "/api/sessions/<session_id>/captures", 200),
        ("POST", "/api/sessions/<session_id>/captures", 400),
        ("GET", "/api/jobs", 400),
        ("GET", "/view/<token>", 401),
        ("POST", "/api/sessions/<session_id>/captures", 200),
    ]
    captured = lines[1]
    assert captured["path"] == f"/api/sessions/{told.session_id}/captures"
    assert (captured["client"], captured["session"]) == ("127.0.0.1", told.session_id)
    assert captured["bytes"] > 0
    assert captured["duration_ms"] > 0


def test_each_job_has_a_line_that_leads_back_to_its_request(told: Told) -> None:
    lines = {line["job"]: line for line in told.said("job ended")}
    for kind, job in (("session.create", told.jobs["creation"]), ("capture", told.jobs["capture"])):
        line = lines[job]
        assert (line["kind"], line["request"], line["session"]) == (kind, told.request_id, told.session_id)
        assert line["worker"].startswith("worker-1@")
        assert line["duration_ms"] > 0


def test_what_libraries_say_is_among_them(told: Told) -> None:
    loggers = {line.get("logger") for line in told.lines}
    assert {"gunicorn.error", "celery.apps.worker", "multiprocessing"} <= loggers


def test_the_lost_chrome_is_told(told: Told) -> None:
    (lost,) = told.said("chrome lost")
    assert (lost["cause"], lost["level"]) == ("died", "error")
    assert lost["worker"].startswith("worker-1@")
