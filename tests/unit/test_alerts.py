"""When an alert is raised, and when it clears."""

import re
from pathlib import Path

import pytest

from fleet.alerts import MEMORY_HIGH, QUEUE_HIGH, RESPONSES_HIGH, RULES, SESSIONS_HIGH, LimitRule


@pytest.mark.parametrize(
    ("rule", "limit", "highest", "clear"),
    [
        (SESSIONS_HIGH, 10, 8, 7),
        (RESPONSES_HIGH, 100, 80, 70),
        (RESPONSES_HIGH, 50, 40, 35),
        (MEMORY_HIGH, 1000, 800, 750),
        (QUEUE_HIGH, 10_000, 8_000, 7_000),
    ],
)
def test_a_limit_raises_above_one_share_and_clears_at_a_lower_one(
    rule: LimitRule, limit: int, highest: int, clear: int
) -> None:
    assert not rule.holds(highest, limit, is_raised=False)
    assert rule.holds(highest + 1, limit, is_raised=False)
    assert rule.holds(clear + 1, limit, is_raised=True)
    assert not rule.holds(clear, limit, is_raised=True)
    assert rule.threshold(limit) == highest


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_page_for_operators_has_each_alert_with_its_severity() -> None:
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (info|warning|critical) \|", page, re.MULTILINE)
    assert told == [(rule.name, rule.severity.value) for rule in RULES]


def test_each_sentence_has_its_facts_filled_in() -> None:
    facts = {"worker": "worker-1@host", "session_id": "ses_a", "used": 9, "limit": 10, "what": "ended", "queue": "q"}
    for rule in RULES:
        message = rule.message(**facts)
        assert "{" not in message
        assert message.endswith(".")
