"""What deploy/kubernetes/ gives to a cluster."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "deploy/kubernetes"
Object = dict[str, Any]


@cache
def kustomization(part: str) -> Object:
    found: Object = yaml.safe_load((FOLDER / part / "kustomization.yaml").read_text())
    return found


@cache
def objects() -> list[Object]:
    """As they are written: kustomizations change nothing in them."""
    files = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
    return [one for path in files for one in yaml.safe_load_all(path.read_text())]


def of_kind(*kinds: str) -> list[Object]:
    return [one for one in objects() if one["kind"] in kinds]


def named(kind: str, name: str) -> Object:
    (found,) = [one for one in of_kind(kind) if one["metadata"]["name"] == name]
    return found


def workloads() -> list[Object]:
    return of_kind("Deployment", "StatefulSet")


def container(workload: Object) -> Object:
    (found,) = pod(workload)["spec"]["containers"]
    return dict(found)


def pod(workload: Object) -> Object:
    return dict(workload["spec"]["template"])


def environment(workload: Object) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(workload).get("env", []) if "value" in one}


def title(one: Object) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"
