"""When an alert is raised, and when it clears."""

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


def test_each_sentence_has_its_facts_filled_in() -> None:
    facts = {"worker": "worker-1@host", "session_id": "ses_a", "used": 9, "limit": 10, "what": "ended", "queue": "q"}
    for rule in RULES:
        message = rule.message(**facts)
        assert "{" not in message
        assert message.endswith(".")
