"""What a Prometheus query asks for."""

from collections.abc import Iterator
from typing import Any

from promql_parser import AggregateExpr, BinaryExpr, VectorSelector, parse, walk

import app.metrics
import workers.metrics
from tests.scrape import sample_names

# What Prometheus itself adds to each series, and to its alerts.
_TARGET = frozenset({"job", "instance"})
_ALERTS = frozenset({"alertname", "alertstate", "severity", "worker", "queue"})
# Variables of Grafana that stand where a duration does.
_INTERVALS = ("$__rate_interval", "$__interval")


class Vocabulary:
    """The names and labels that queries may use: of metrics, and of the rules that are recorded from them."""

    def __init__(self, rules: dict[str, str]) -> None:
        """`rules`: the query of each recorded name, in order."""
        declared = sample_names([*app.metrics.MANIFEST, *workers.metrics.MANIFEST])
        self._labels = {name: labels | _TARGET for name, labels in declared.items()} | {"ALERTS": _ALERTS | _TARGET}
        for name, query in rules.items():
            self._labels[name] = self._of(_nodes(query))

    def strangers(self, query: str) -> list[str]:
        """Names and labels in the query that nothing has. Raises ValueError for what is no query."""
        nodes = _nodes(query)
        selectors = [node for node in nodes if isinstance(node, VectorSelector)]
        unknown = [str(node.name) for node in selectors if node.name not in self._labels]
        wrong = [
            f"{node.name}{{{matcher.name}}}"
            for node in selectors
            for matcher in node.matchers.matchers
            if matcher.name not in self._labels.get(node.name or "", frozenset())
        ]
        return unknown + wrong + sorted(set(_grouped(nodes)) - self._of(nodes))

    def _of(self, nodes: list[Any]) -> frozenset[str]:
        names = [str(node.name) for node in nodes if isinstance(node, VectorSelector)]
        return frozenset().union(*(self._labels.get(name, frozenset()) for name in names))


def _nodes(query: str) -> list[Any]:
    for interval in _INTERVALS:
        query = query.replace(interval, "5m")
    found: list[Any] = []
    walk(parse(query), pre_visit=found.append)
    return found


def _grouped(nodes: list[Any]) -> Iterator[str]:
    """Labels that the query groups or matches by."""
    for node in nodes:
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            yield from node.modifier.labels
        elif isinstance(node, BinaryExpr) and node.modifier is not None:
            yield from node.modifier.group_labels or []
            yield from node.modifier.matching.labels if node.modifier.matching else []
