"""Workers come and go, on purpose and not: nothing that was accepted is lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.containers.stack import SITE, Stack
from tests.polling import eventually

# A lease runs out, another worker restores; on a busy machine.
_SECONDS = 120
_CAPTURES = 40


@pytest.fixture(autouse=True)
def _three_workers(stack: Stack, api: httpx.Client) -> None:
    stack.scale(3)
    eventually(lambda: len(api.get("/api/workers").json()["workers"]) >= 3, seconds=_SECONDS)


def _logged_in(api: httpx.Client) -> dict[str, Any]:
    actions = [
        {"kind": "fill", "selector": "[name=username]", "value": "ada"},
        {"kind": "fill", "selector": "[name=password]", "value": "lovelace"},
        {"kind": "click", "selector": "main button"},
    ]
    session: dict[str, Any] = api.post("/api/sessions?wait=60", json={}).json()["session"]
    body = {"url": f"{SITE}/login", "actions": actions, "outputs": [{"kind": "html"}]}
    job = api.post(f"/api/sessions/{session['id']}/captures?wait=60", json=body).json()["job"]
    assert job["result"]["final_url"] == f"{SITE}/account", job
    return session


def _account(api: httpx.Client, session: str) -> dict[str, Any]:
    body = {"url": f"{SITE}/account", "outputs": [{"kind": "html"}]}
    job: dict[str, Any] = api.post(f"/api/sessions/{session}/captures?wait=90", json=body).json()["job"]
    assert job["state"] == "succeeded", job["error"]
    return job


def test_the_sessions_of_a_container_that_is_killed_go_on_in_another(stack: Stack, api: httpx.Client) -> None:
    sessions = [_logged_in(api) for _ in range(6)]
    lost = sessions[0]["worker"]
    stack.docker("kill", stack.container_of(lost))
    for session in sessions:
        job = _account(api, session["id"])
        assert job["worker"] != lost
        assert job["result"]["final_url"] == f"{SITE}/account", "still logged in"
    moved = [api.get(f"/api/sessions/{one['id']}").json() for one in sessions if one["worker"] == lost]
    assert {(one["state"], one["generation"]) for one in moved} == {("running", sessions[0]["generation"] + 1)}


def test_a_container_that_is_killed_and_started_again_is_the_same_worker(stack: Stack, api: httpx.Client) -> None:
    session = _logged_in(api)
    container = stack.container_of(session["worker"])
    stack.docker("kill", container)
    stack.docker("start", container)
    assert _account(api, session["id"])["result"]["final_url"] == f"{SITE}/account"

    def is_back() -> bool:
        workers = {one["name"]: one for one in api.get("/api/workers").json()["workers"]}
        return session["worker"] in workers and not api.get("/api/status").json()["alerts"]

    eventually(is_back, seconds=_SECONDS)


def test_scaling_down_under_load_loses_nothing(stack: Stack, api: httpx.Client) -> None:
    sessions = [_logged_in(api)["id"] for _ in range(6)]

    def submit(number: int) -> str:
        body = {"url": f"{SITE}/?number={number}", "wait_for_timeout": 500}
        path = f"/api/sessions/{sessions[number % 6]}/captures" if number % 2 else "/api/captures"
        job: str = api.post(path, json=body).json()["job"]["id"]
        return job

    with ThreadPoolExecutor(8) as clients:
        jobs = list(clients.map(submit, range(_CAPTURES)))
    stack.scale(1)
    assert len(stack.containers("worker")) == 1
    with ThreadPoolExecutor(8) as clients:
        ended = list(clients.map(lambda job: api.get(f"/api/jobs/{job}?wait=90").json(), jobs))
    assert [(job["state"], job["error"]) for job in ended] == [("succeeded", None)] * _CAPTURES
    assert {_account(api, session)["result"]["final_url"] for session in sessions} == {f"{SITE}/account"}


def test_a_worker_that_is_added_takes_work_that_waits(stack: Stack, api: httpx.Client) -> None:
    stack.scale(1)
    body = {"url": SITE, "wait_for_timeout": 5_000}
    jobs = [api.post("/api/captures", json=body).json()["job"]["id"] for _ in range(24)]
    stack.scale(2)
    ended = [api.get(f"/api/jobs/{job}?wait=90").json() for job in jobs]
    assert {job["state"] for job in ended} == {"succeeded"}
    assert len({job["worker"] for job in ended}) == 2
