"""A worker within its container: Chrome in its sandbox, ten sessions in a gigabyte."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.containers.stack import SITE, Stack

_SESSIONS = 10
# Of each process of Chrome: its type, what the kernel tells of it, its user namespace, its environment.
_CHROME = """
import glob, json, os
found = []
for folder in glob.glob("/proc/[0-9]*"):
    try:
        command = open(f"{folder}/cmdline").read()
        if "chromium-headless-shell" not in command:
            continue
        status = dict(line.rstrip().split(":\\t", 1) for line in open(f"{folder}/status"))
        kind = command.split("--type=")[1].split("\\0")[0].split(" ")[0] if "--type=" in command else "browser"
        readable = os.access(f"{folder}/environ", os.R_OK)
        found.append({
            "kind": kind,
            "seccomp": status["Seccomp"],
            "filters": int(status["Seccomp_filters"]),
            "no_new_privileges": status["NoNewPrivs"],
            "namespaces": len(status["NSpid"].split()),
            "user": os.readlink(f"{folder}/ns/user") if os.access(f"{folder}/ns/user", os.R_OK) else "not to be seen",
            "command": command,
            "environment": open(f"{folder}/environ").read() if readable else "",
        })
    except OSError:
        continue
print(json.dumps({"user": os.readlink("/proc/self/ns/user"), "processes": found}))
"""


def _chrome(stack: Stack, container: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(stack.inside(container, "python", "-", stdin=_CHROME))
    return told


def test_pages_are_rendered_in_chromes_sandbox(stack: Stack, api: httpx.Client) -> None:
    """A namespace of users, one of processes, and a filter of system calls on top of the container's."""
    session = api.post("/api/sessions?wait=60", json={"url": SITE}).json()["session"]
    told = _chrome(stack, stack.container_of(session["worker"]))
    renderers = [process for process in told["processes"] if process["kind"] == "renderer"]
    (browser,) = [process for process in told["processes"] if process["kind"] == "browser"]
    assert renderers
    assert "--no-sandbox" not in browser["command"]
    for renderer in renderers:
        assert (renderer["seccomp"], renderer["no_new_privileges"]) == ("2", "1")
        assert renderer["filters"] == browser["filters"] + 1
        assert renderer["namespaces"] > browser["namespaces"]
        assert renderer["user"] != told["user"]


def test_chrome_does_not_know_the_password_of_redis(stack: Stack) -> None:
    (container, *_) = stack.containers("worker")
    (browser,) = [process for process in _chrome(stack, container)["processes"] if process["kind"] == "browser"]
    assert "PATH=" in browser["environment"]
    assert stack.secret("REDIS_PASSWORD") not in browser["environment"]


def test_ten_sessions_on_the_article_stay_within_the_memory_of_their_container(stack: Stack, api: httpx.Client) -> None:
    stack.scale(1)
    (container,) = stack.containers("worker")

    def open_and_capture(_: int) -> tuple[str, str]:
        session = api.post("/api/sessions?wait=90", json={}).json()["session"]["id"]
        body = {"url": f"{SITE}/article"}
        return session, api.post(f"/api/sessions/{session}/captures?wait=90", json=body).json()["job"]["state"]

    with ThreadPoolExecutor(4) as clients:
        opened = list(clients.map(open_and_capture, range(_SESSIONS)))
    assert [state for _, state in opened] == ["succeeded"] * _SESSIONS
    sessions = [api.get(f"/api/sessions/{session}").json() for session, _ in opened]
    assert {(one["state"], one["generation"]) for one in sessions} == {("running", sessions[0]["generation"])}
    (worker,) = api.get("/api/workers").json()["workers"]
    assert stack.inspect(container)["HostConfig"]["Memory"] == worker["memory_limit_bytes"] == 2**30
    assert sum(worker["chrome_restarts"].values()) == 0
    assert _killed_by_the_kernel(stack, container) == 0
    assert not stack.inspect(container)["State"]["OOMKilled"]


def _killed_by_the_kernel(stack: Stack, container: str) -> int:
    """Processes of this container, for want of memory; wherever this version of cgroups tells it."""
    files = "/sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control"
    lines = stack.inside(container, "sh", "-c", f"cat {files} 2>/dev/null || true").splitlines()
    (killed,) = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
    return int(killed)
