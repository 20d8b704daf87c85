import re
from typing import Any

import pytest

from fleet.alerts import CHROME_DOWN, CHROME_DOWN_STAYS, RULES, LimitRule, Rule
from tests.deployed import alerts, recorded, rules
from tests.promql import Vocabulary

_LIMIT_RULES = [rule for rule in RULES if isinstance(rule, LimitRule)]


def named(rule: Rule) -> str:
    """As Prometheus' users write it: memory_high → FleetMemoryHigh"""
    return "Fleet" + rule.name.title().replace("_", "")


def test_prometheus_has_the_alerts_of_the_fleet_and_no_other() -> None:
    assert set(alerts()) == {named(rule) for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_an_alert_is_as_severe_in_prometheus(rule: Rule) -> None:
    assert alerts()[named(rule)]["labels"] == {"severity": rule.severity}


@pytest.mark.parametrize("rule", _LIMIT_RULES, ids=named)
def test_an_alert_is_raised_and_clears_at_the_same_shares_in_prometheus(rule: LimitRule) -> None:
    shares = re.findall(r"> (0\.\d+)", alerts()[named(rule)]["expr"])

    assert [round(float(share) * 100) for share in shares] == [rule.raise_percent, rule.clear_percent]


@pytest.mark.parametrize("rule", _LIMIT_RULES, ids=named)
def test_what_keeps_an_alert_is_that_alert(rule: LimitRule) -> None:
    assert re.findall(r'alertname="(\w+)"', alerts()[named(rule)]["expr"]) == [named(rule)]


def test_a_chrome_that_died_is_told_for_as_long_in_prometheus() -> None:
    windows = {window for query in recorded().values() for window in re.findall(r"\[(\w+)\]", query)}

    assert "fleet:worker_chrome_losses:increase1m" in alerts()[named(CHROME_DOWN)]["expr"]
    assert windows == {f"{CHROME_DOWN_STAYS.total_seconds() / 60:g}m"}


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_an_alert_says_what_is_the_case_and_what_to_do(rule: Rule) -> None:
    told = alerts()[named(rule)]["annotations"]

    assert set(told) == {"summary", "description"}
    assert all(text.endswith(".") for text in told.values())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("record") or rule["alert"])
def test_a_rule_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    assert Vocabulary(recorded()).strangers(rule["expr"]) == []


@pytest.mark.parametrize(
    ("query", "stranger"),
    [
        ("fleet_invented_total", "fleet_invented_total"),
        ('fleet_sessions{colour="red"}', "fleet_sessions{colour}"),
        ("sum by (colour) (fleet_sessions)", "colour"),
        ("fleet_sessions * on (colour) fleet_sessions_limit", "colour"),
    ],
)
def test_what_there_is_not_is_noticed(query: str, stranger: str) -> None:
    assert Vocabulary(recorded()).strangers(query) == [stranger]
