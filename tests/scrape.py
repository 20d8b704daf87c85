"""What a /metrics page says, read as Prometheus reads it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from fleet.metrics import Metric

_SUFFIXES = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
}


@dataclass(frozen=True)
class Scrape:
    text: str

    @classmethod
    def of(cls, address: str) -> "Scrape":
        """`address`: HOST:PORT"""
        return cls(httpx.get(f"http://{address}/metrics", timeout=30).raise_for_status().text)

    def samples(self) -> Iterator[Sample]:
        for family in text_string_to_metric_families(self.text):
            yield from family.samples

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of all samples of that name that have these labels, None: there is none."""
        found = [
            sample.value for sample in self.samples() if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def at_least(self, least: float, name: str, **labels: str) -> bool:
        return (self.value(name, **labels) or -inf) >= least


def sample_names(metrics: Iterable[Metric]) -> dict[str, frozenset[str]]:
    """Every name that samples of these metrics have, with its labels."""
    return {
        f"{metric.name}{suffix}": frozenset([*metric.labels, *(["le"] if suffix == "_bucket" else [])])
        for metric in metrics
        for suffix in _SUFFIXES[metric.type]
    }
