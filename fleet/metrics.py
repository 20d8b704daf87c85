"""How a program counts: what it declares, and files by which several processes of it count as one."""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, values
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from fleet.models.session import EndReason

# Jobs end by their own limit after six minutes at the latest; most take between a tenth of a second and ten.
DURATION_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 360)

# With files no process tells since when it counts, and without them it need not either.
disable_created_metrics()  # type: ignore[no-untyped-call]  # its own gap


@dataclass(frozen=True)
class Metric:
    """`name`: as it is scraped; a counter's ends in `_total`.

    `known`: values of the one label of a counter that are there from the start, at 0, so that the first one counts.
    """

    type: Literal["counter", "gauge", "gaugehistogram", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    buckets: tuple[float, ...] = DURATION_BUCKETS

    def counter(self, registry: CollectorRegistry) -> Counter:
        made = Counter(self.name, self.help, self.labels, registry=registry)
        for value in self.known:
            made.labels(value)
        return made

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        return Histogram(self.name, self.help, self.labels, registry=registry, buckets=self.buckets)

    def gauge(self, measured: float | Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
        """`measured`: with labels, by their values."""
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for values_of_labels, value in (measured if isinstance(measured, Mapping) else {(): measured}).items():
            family.add_metric(values_of_labels, float(value))
        return family

    def gauge_histogram(self, measured: Iterable[float]) -> GaugeHistogramMetricFamily:
        """How many of what is measured now lie below each bound, and the sum of all."""
        sizes = sorted(measured)
        bounds = [*self.buckets, inf]
        buckets = [(_bound(bound), bisect_right(sizes, bound)) for bound in bounds]
        return GaugeHistogramMetricFamily(self.name, self.help, buckets=buckets, gsum_value=sum(sizes))


def _bound(value: float) -> str:
    return "+Inf" if value == inf else str(value)


def totals(counter: Counter) -> dict[str, int]:
    """What this place has counted so far, by the value of the one label; "" where there is none."""
    samples = [sample for family in counter.collect() for sample in family.samples if sample.name.endswith("_total")]
    return {next(iter(sample.labels.values()), ""): int(sample.value) for sample in samples}


class MetricFiles:
    """Each process writes files of its own. They are named after its place, not after its process id: whoever takes
    the place of one that died goes on counting where it stopped, and there are never more files than places.
    """

    def __init__(self, folder: Path, place: Callable[[], str]) -> None:
        """To be made before anything counts. `place`: of the process that asks; it has another one after a fork."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        # As prometheus_client documents it for servers that number their processes.
        values.ValueClass = values.MultiProcessValue(place)  # type: ignore[no-untyped-call]  # its own gap


class Counts:
    """What the processes of one program count; subclasses name it."""

    def __init__(self, files: MetricFiles | None = None) -> None:
        """`files`: None for a program of one process."""
        self.registry = CollectorRegistry()
        self._files = files

    def scraped(self, *measured: Collector) -> CollectorRegistry:
        """What all processes have counted, and what is measured now."""
        registry = CollectorRegistry()
        for collector in measured:
            registry.register(collector)
        if self._files is None:
            registry.register(self.registry)
        else:
            MultiProcessCollector(registry, str(self._files.folder))  # type: ignore[no-untyped-call]  # its own gap
        return registry


# Counted by whichever program ends the session.
SESSIONS_ENDED: Final = Metric(
    "counter",
    "fleet_sessions_ended_total",
    "Sessions that ended, by the reason that their clients are told.",
    ("reason",),
    known=tuple(EndReason),
)
