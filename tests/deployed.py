"""The files in deploy/ for Prometheus and Grafana, as tests read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PROMETHEUS = Path(__file__).parents[1] / "deploy" / "prometheus"
GRAFANA = Path(__file__).parents[1] / "deploy" / "grafana"
ALERTS = PROMETHEUS / "alerts.yml"
DASHBOARD = GRAFANA / "dashboards" / "capture-fleet.json"


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def recorded() -> dict[str, str]:
    """The query of each name that rules record."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def dashboard_queries() -> Iterator[str]:
    """Of all panels and annotations, whatever they are in."""
    waiting: list[Any] = [dashboard()]
    for part in waiting:
        if isinstance(part, dict):
            waiting.extend(part.values())
            if isinstance(part.get("expr"), str):
                yield part["expr"]
        elif isinstance(part, list):
            waiting.extend(part)
