"""Flower shows the workers and the jobs, to whoever knows its password."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.polling import eventually
from tests.system.conftest import RunningFleet, start_fleet
from tests.system.processes import Launched, python, wait_for_exit

_AUTH = ("ops", "hunter2-flower")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFleet]:
    running = start_fleet(tmp_path_factory.mktemp("guarded"), FLEET_FLOWER_AUTH=":".join(_AUTH))
    yield running
    running.launched.kill_all()


def ask(fleet: RunningFleet, path: str, auth: tuple[str, str] | None) -> httpx.Response:
    return httpx.get(f"{fleet.flower}{path}", auth=auth, timeout=30)


@pytest.mark.parametrize("path", ["/workers", "/tasks", "/api/tasks", "/api/workers"])
def test_without_the_password_it_shows_nothing(guarded: RunningFleet, path: str) -> None:
    answers = [ask(guarded, path, auth) for auth in (None, ("ops", "wrong"), _AUTH)]
    assert [answer.status_code for answer in answers] == [401, 401, 200]


def test_no_process_shows_the_password_in_its_command_line(guarded: RunningFleet) -> None:
    assert [command for command in guarded.launched.living().values() if _AUTH[1] in command] == []


def test_it_lists_jobs_by_id_and_kind_and_no_bodies(guarded: RunningFleet) -> None:
    with httpx.Client(base_url=guarded.url, timeout=90) as api:
        created = api.post("/api/sessions", params={"wait": 60}).json()
        path = f"/api/sessions/{created['session']['id']}/captures"
        captured = api.post(path, params={"wait": 60}, json={"html": "<p>A body</p>"}).json()["job"]
        one_shot = api.post("/api/captures", params={"wait": 60}, json={"html": "<p>A body</p>"}).json()["job"]

    tasks = eventually(lambda: succeeded(guarded, count=3), seconds=30) or []
    shown = {(task["name"], task["args"], task["kwargs"]) for task in tasks}
    assert shown == {
        ("fleet.run_session_job", f"['{created['session']['id']}']", kind_and_job("session.create", created["job"])),
        ("fleet.run_session_job", f"['{created['session']['id']}']", kind_and_job("capture", captured)),
        ("fleet.run_capture", f"['{one_shot['id']}']", "{}"),
    }


def kind_and_job(kind: str, job: dict[str, Any]) -> str:
    return f"{{'kind': '{kind}', 'job': '{job['id']}'}}"


def succeeded(fleet: RunningFleet, *, count: int) -> list[dict[str, Any]] | None:
    tasks = list(ask(fleet, "/api/tasks?state=SUCCESS", _AUTH).json().values())
    return tasks if len(tasks) >= count else None


def test_without_a_password_it_does_not_listen_where_others_can_reach_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    log = tmp_path_factory.mktemp("open") / "flower.log"
    launched = Launched(python("-m", "workers.flower"), {"FLEET_FLOWER_BIND": "0.0.0.0:0"}, log=log)
    assert wait_for_exit(launched, 60) == 1
    assert "FLEET_FLOWER_AUTH" in launched.output()
