import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import generate_latest

import app.metrics
import workers.metrics
from fleet.metrics import Metric, totals
from tests.scrape import Scrape
from workers.metrics import WorkerCounts

_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(fleet_\w+)` \| ([a-z ]+) \|(.*?)\| .+ \|$", re.MULTILINE)
_MANIFESTS = {"API": app.metrics.MANIFEST, "Worker": workers.metrics.MANIFEST}
_ALL = [metric for manifest in _MANIFESTS.values() for metric in manifest]


def documented(program: str) -> list[tuple[str, str, tuple[str, ...]]]:
    (section,) = re.findall(rf"^## {program}$(.*?)^## ", _PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [
        (name, kind.replace(" ", ""), tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in _ROW.findall(section)
    ]


@pytest.mark.parametrize("program", _MANIFESTS)
def test_the_documentation_has_a_row_for_each_metric_and_no_other(program: str) -> None:
    assert documented(program) == [(metric.name, metric.type, metric.labels) for metric in _MANIFESTS[program]]


@pytest.mark.parametrize("metric", _ALL, ids=lambda metric: metric.name)
def test_names_are_those_that_prometheus_asks_for(metric: Metric) -> None:
    assert metric.name.startswith("fleet_")
    assert metric.name.endswith("_total") == (metric.type == "counter")
    assert not re.search(r"(_ms|_mb|_kb|_percent|_ratio|milli)", metric.name)


@pytest.mark.parametrize("manifest", _MANIFESTS.values(), ids=_MANIFESTS)
def test_every_metric_that_is_declared_is_in_the_manifest_once(manifest: tuple[Metric, ...]) -> None:
    module = app.metrics if manifest is app.metrics.MANIFEST else workers.metrics
    declared = [value for value in vars(module).values() if isinstance(value, Metric)]

    assert sorted(metric.name for metric in manifest) == sorted(metric.name for metric in declared)


def test_metrics_of_both_programs_are_the_same_in_both() -> None:
    shared = {metric.name for metric in app.metrics.MANIFEST} & {metric.name for metric in workers.metrics.MANIFEST}

    assert len({metric for metric in _ALL if metric.name in shared}) == len(shared)


def page(counts: WorkerCounts, *families: object) -> Scrape:
    class Measured:
        def collect(self) -> Iterable[object]:
            return families

    return Scrape(generate_latest(counts.scraped(Measured())).decode())  # type: ignore[arg-type]  # families suffice


def test_reasons_that_are_known_begin_at_zero() -> None:
    assert page(WorkerCounts()).value("fleet_worker_chrome_restarts_total", reason="hung") == 0


def test_totals_are_told_by_label() -> None:
    counts = WorkerCounts()
    counts.chrome_restarts.labels("died").inc()
    counts.sessions_restored.inc(3)

    assert totals(counts.chrome_restarts) == {"died": 1, "hung": 0, "worn": 0}
    assert totals(counts.sessions_restored) == {"": 3}


def test_a_gauge_histogram_counts_what_lies_below_each_bound() -> None:
    metric = Metric("gaugehistogram", "fleet_sizes_bytes", "Sizes.", buckets=(10, 100))
    scraped = page(WorkerCounts(), metric.gauge_histogram([5, 10, 11, 1000]))

    buckets = [scraped.value("fleet_sizes_bytes_bucket", le=bound) for bound in ("10", "100", "+Inf")]
    assert buckets == [2, 3, 4]
    assert scraped.value("fleet_sizes_bytes_gsum") == 1026
