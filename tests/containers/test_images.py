"""What is in the two images, and what is not."""

import pytest

from tests.containers.stack import Stack

_OWN = {"api": {"app", "fleet"}, "worker": {"workers", "fleet"}}
# Measured 63 and 720 MB on top of the base image; a budget, so that growth is noticed.
_BUDGET_MB = {"api": 100, "worker": 800}
_BASE = "python:3.13-slim-trixie"


@pytest.mark.parametrize("part", _OWN)
def test_an_image_has_its_own_code_alone(stack: Stack, part: str) -> None:
    (container, *_) = stack.containers(part)
    assert set(stack.inside(container, "ls", "/opt/fleet").split()) == _OWN[part]


@pytest.mark.parametrize("part", _OWN)
def test_an_image_is_small(stack: Stack, part: str) -> None:
    def size(image: str) -> int:
        return int(stack.docker("image", "inspect", "--format", "{{.Size}}", image))

    assert size(f"capture-fleet-{part}:test") - size(_BASE) < _BUDGET_MB[part] * 10**6


@pytest.mark.parametrize("part", ["api", "worker", "flower"])
def test_its_processes_may_do_little(stack: Stack, part: str) -> None:
    """No root, no capabilities, none to be had, and nothing to write on but its volumes and /tmp."""
    (container, *_) = stack.containers(part)
    status = dict(line.split(":\t", 1) for line in stack.inside(container, "cat", "/proc/1/status").splitlines())
    assert status["Uid"].split() == ["10001"] * 4
    assert (int(status["CapBnd"], 16), int(status["CapEff"], 16), status["NoNewPrivs"].strip()) == (0, 0, "1")
    root = stack.inside(container, "sh", "-c", "grep ' / ' /proc/mounts").split()
    assert root[3].split(",")[0] == "ro"


@pytest.mark.parametrize("part", _OWN)
def test_an_image_is_labelled(stack: Stack, part: str) -> None:
    (container, *_) = stack.containers(part)
    labels = stack.inspect(container)["Config"]["Labels"]
    assert {f"org.opencontainers.image.{name}" for name in ("title", "description", "version", "revision")} <= set(
        labels
    )
