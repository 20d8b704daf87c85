from pathlib import Path

import pytest
import yaml

import app.metrics
import workers.metrics
from fleet.metrics import Metric
from tests.deployed import GRAFANA, dashboard, dashboard_queries, recorded
from tests.promql import Vocabulary

_QUERIES = sorted(set(dashboard_queries()))
# Counted in manifests for whoever looks into one worker.
_NOT_SHOWN = {
    "fleet_worker_admits_sessions",
    "fleet_worker_draining",
    "fleet_worker_jobs_running",
    "fleet_worker_store_up",
}


@pytest.mark.parametrize("query", _QUERIES)
def test_a_query_asks_for_what_there_is(query: str) -> None:
    assert Vocabulary(recorded()).strangers(query) == []


@pytest.mark.parametrize("metric", {*app.metrics.MANIFEST, *workers.metrics.MANIFEST}, ids=lambda metric: metric.name)
def test_the_dashboard_shows_each_metric(metric: Metric) -> None:
    asked = " ".join([*_QUERIES, *recorded().values()])

    assert (metric.name in asked) != (metric.name in _NOT_SHOWN)


def test_panels_lie_beside_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
    assert max(x for x, _ in taken) == 23


def test_ids_of_panels_differ() -> None:
    ids = [panel["id"] for panel in dashboard()["panels"]]

    assert len(ids) == len(set(ids))


def test_every_panel_asks_the_data_source_that_is_chosen() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", [])]

    assert [target for target in targets if target["datasource"] != chosen] == []


@pytest.mark.parametrize("path", sorted(GRAFANA.rglob("*.yml")), ids=lambda path: path.name)
def test_what_grafana_is_provisioned_with_can_be_read(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["apiVersion"] == 1
