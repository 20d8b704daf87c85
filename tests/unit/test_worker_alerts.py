"""A worker's alerts from one look to the next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workers.browser_host.alerts import WorkerAlerts, WorkerNumbers

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def numbers(**changes: Any) -> WorkerNumbers:
    calm: dict[str, Any] = {
        "chrome_up": True,
        "chromes_lost": 0,
        "storage_failure": None,
        "sessions": 0,
        "session_limit": 10,
        "memory_bytes": 0,
        "memory_limit_bytes": 1000 * 2**20,
        "responses": {},
        "response_limit": 100,
    }
    return WorkerNumbers(**{**calm, **changes})


def at(seconds: float) -> datetime:
    return _NOON + timedelta(seconds=seconds)


@pytest.fixture
def alerts() -> WorkerAlerts:
    return WorkerAlerts("worker-1@here")


def names(alerts: WorkerAlerts, seconds: float = 0, **changes: Any) -> list[str]:
    return [alert.name for alert in alerts.look(numbers(**changes), at(seconds))]


def test_a_calm_worker_has_none(alerts: WorkerAlerts) -> None:
    assert names(alerts) == []


def test_sessions_alert_at_nine_of_ten_and_clear_at_seven(alerts: WorkerAlerts) -> None:
    told = [names(alerts, sessions=count) for count in (8, 9, 8, 7, 8)]
    assert told == [[], ["sessions_high"], ["sessions_high"], [], []]


def test_memory_alerts_above_eighty_percent_and_clears_at_seventy_five(alerts: WorkerAlerts) -> None:
    told = [names(alerts, memory_bytes=mib * 2**20) for mib in (800, 801, 760, 750)]
    assert told == [[], ["memory_high"], ["memory_high"], []]


def test_each_session_has_its_own_alert_of_responses(alerts: WorkerAlerts) -> None:
    first = alerts.look(numbers(responses={"ses_a": 81, "ses_b": 80}), at(0))
    second = alerts.look(numbers(responses={"ses_a": 71, "ses_b": 81}), at(5))
    third = alerts.look(numbers(responses={"ses_a": 70, "ses_b": 81}), at(10))
    assert [[alert.session_id for alert in told] for told in (first, second, third)] == [
        ["ses_a"],
        ["ses_b", "ses_a"],
        ["ses_b"],
    ]
    assert third[0].since == at(5)


def test_of_many_sessions_those_with_the_most_responses_are_told(alerts: WorkerAlerts) -> None:
    told = alerts.look(numbers(responses={f"ses_{count}": count for count in range(81, 101)}), at(0))
    assert [alert.session_id for alert in told] == [f"ses_{count}" for count in range(100, 90, -1)]


def test_an_alert_keeps_its_since_until_it_clears(alerts: WorkerAlerts) -> None:
    def since(seconds: float, sessions: int) -> list[datetime]:
        return [alert.since for alert in alerts.look(numbers(sessions=sessions), at(seconds))]

    told = [since(0, 9), since(5, 8), since(10, 7), since(15, 9)]
    assert told == [[at(0)], [at(0)], [], [at(15)]]


def test_a_chrome_that_is_down_alerts_until_it_has_been_back_for_a_minute(alerts: WorkerAlerts) -> None:
    told = [names(alerts, seconds, chrome_up=up) for seconds, up in [(0, False), (5, True), (59, True), (60, True)]]
    assert told == [["chrome_down"]] * 3 + [[]]


def test_a_chrome_that_was_replaced_between_two_looks_alerts(alerts: WorkerAlerts) -> None:
    lost = alerts.look(numbers(chromes_lost=1), at(0))
    assert [(alert.name, alert.value, alert.threshold) for alert in lost] == [("chrome_down", 1, 1)]
    assert names(alerts, 59, chromes_lost=1) == ["chrome_down"]
    assert names(alerts, 60, chromes_lost=1) == []


def test_a_chrome_that_is_lost_again_alerts_for_longer_since_the_first_time(alerts: WorkerAlerts) -> None:
    alerts.look(numbers(chromes_lost=1), at(0))
    alerts.look(numbers(chromes_lost=2), at(50))
    (still,) = alerts.look(numbers(chromes_lost=2), at(100))
    assert still.since == at(0)


def test_a_host_that_replaces_one_that_ended_tells_of_its_chrome() -> None:
    alerts = WorkerAlerts("worker-1@here", chrome_lost_at=at(0))
    assert names(alerts, 5) == ["chrome_down"]
    assert names(alerts, 60) == []


def test_a_storage_that_takes_nothing_alerts_until_it_does(alerts: WorkerAlerts) -> None:
    (first,) = alerts.look(numbers(storage_failure="No space left on device"), at(0))
    (second,) = alerts.look(numbers(storage_failure="it does not answer"), at(30))
    assert (first.name, first.since, second.since) == ("storage_down", at(0), at(0))
    assert "cannot write artifacts (it does not answer)" in second.message
    assert names(alerts, 60) == []


def test_an_alert_says_who_how_much_and_what_to_do(alerts: WorkerAlerts) -> None:
    (alert,) = alerts.look(numbers(memory_bytes=900 * 2**20), at(0))
    assert (alert.severity, alert.worker, alert.session_id) == ("warning", "worker-1@here", None)
    assert (alert.value, alert.threshold) == (900 * 2**20, 800 * 2**20)
    assert alert.message.startswith("worker-1@here uses 900 of 1000 MiB")
    assert "Add a worker" in alert.message
