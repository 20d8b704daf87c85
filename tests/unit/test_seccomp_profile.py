"""deploy/docker/seccomp.json is Docker's default profile and what Chrome's sandbox needs, no more."""

import json
from pathlib import Path
from typing import Any

import pytest

_PROFILE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "deploy/docker/seccomp.json").read_text())
# Of clone(2) and unshare(2).
_NEW_NAMESPACES = {
    "mount": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
_THREAD = 0x00000100


def _passes(call: str, *arguments: int) -> bool:
    """Without any capability, on the most common architecture."""
    return any(
        call in rule["names"]
        and rule["action"] == "SCMP_ACT_ALLOW"
        and not rule.get("includes", {}).get("caps")
        and not rule.get("includes", {}).get("arches")
        and all(_fits(condition, arguments[condition["index"]]) for condition in rule.get("args") or [])
        for rule in _PROFILE["syscalls"]
    )


def _fits(condition: dict[str, Any], argument: int) -> bool:
    assert condition["op"] == "SCMP_CMP_MASKED_EQ"
    return bool((argument & condition["value"]) == condition.get("valueTwo", 0))


@pytest.mark.parametrize("call", ["clone", "unshare"])
def test_namespaces_pass_that_chromes_sandbox_is_made_of_and_no_others(call: str) -> None:
    passing = {name for name, flag in _NEW_NAMESPACES.items() if _passes(call, flag)}
    assert passing == {"user", "pid", "net"}
    assert _passes("clone", _THREAD)


@pytest.mark.parametrize(
    "call", ["mount", "umount2", "setns", "bpf", "open_tree", "move_mount", "fsopen", "init_module", "perf_event_open"]
)
def test_calls_stay_refused_that_the_engine_refuses(call: str) -> None:
    assert not _passes(call)


def test_whatever_is_not_named_is_refused() -> None:
    assert _PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
