"""The shipped rules and configurations, as Prometheus' own tool judges them."""

import pytest

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
