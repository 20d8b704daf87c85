"""The shipped rules and configurations, as Prometheus' own tool judges them."""

from pathlib import Path

import pytest
import yaml

from tests.deployed import ALERTS, PROMETHEUS
from tests.integration.promtool import promtool


def test_the_rules_pass_their_own_tests() -> None:
    promtool("test", "rules", *sorted((PROMETHEUS / "tests").glob("*.yml")))


def test_the_rules_have_no_fault() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-static.yml"])
def test_a_configuration_has_no_fault(name: str) -> None:
    # Its files, of secrets among them, are where it runs, not here.
    promtool("check", "config", "--syntax-only", PROMETHEUS / name)


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-static.yml"])
def test_a_configuration_with_a_key_has_no_fault(name: str, tmp_path: Path) -> None:
    """Where its lines that give the API's page a key are comments, they are taken in."""
    key = tmp_path / "key"
    key.write_text("the-key-of-prometheus")
    text = (PROMETHEUS / name).read_text().replace("# authorization:", "authorization:")
    text = text.replace("#   credentials_file:", "  credentials_file:")
    text = text.replace("/etc/prometheus/fleet_api_key", str(key))
    (tmp_path / ALERTS.name).write_text(ALERTS.read_text())
    (tmp_path / name).write_text(text)
    promtool("check", "config", tmp_path / name)
    (api,) = [job for job in yaml.safe_load(text)["scrape_configs"] if "authorization" in job]
    assert (api["job_name"], api["authorization"]) == ("fleet-api", {"credentials_file": str(key)})
