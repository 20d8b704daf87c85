"""Signatures of webhooks, as senders make and receivers check them, and when an attempt is the last."""

from datetime import UTC, datetime, timedelta

import pytest

from fleet.ids import new_id
from fleet.models.webhook import Webhook, WebhookAttempt, WebhookEvent, WebhookState
from fleet.webhooks import DELAYS, after_attempt, parse_secrets, signature
from fleet_client import verify_webhook

AT = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NOW = AT.timestamp()
BODY = b'{"event": "job.ended"}'
OLD, NEW = "the secret of yesterday", "the secret of today"


def test_a_receiver_knows_what_its_secret_has_signed() -> None:
    assert verify_webhook(BODY, signature((NEW,), BODY, AT), NEW, now=NOW)


@pytest.mark.parametrize("known", [OLD, NEW, [OLD, NEW]])
def test_while_secrets_rotate_a_receiver_may_know_either(known: str | list[str]) -> None:
    assert verify_webhook(BODY, signature((NEW, OLD), BODY, AT), known, now=NOW)


@pytest.mark.parametrize(
    ("body", "signed", "now"),
    [
        (BODY + b" ", signature((NEW,), BODY, AT), NOW),
        (BODY, signature((OLD,), BODY, AT), NOW),
        (BODY, signature((NEW,), BODY, AT), NOW + 301),
        (BODY, signature((NEW,), BODY, AT), NOW - 301),
        (BODY, signature((NEW,), BODY, AT).replace("t=1", "t=2"), NOW),
        (BODY, signature((NEW,), BODY, AT) + f",t={int(NOW)}", NOW),
        (BODY, f"t={int(NOW)}", NOW),
        (BODY, "t=²,v1=²", NOW),
        (BODY, "", NOW),
    ],
)
def test_nothing_else_is_taken_for_the_fleets(body: bytes, signed: str, now: float) -> None:
    assert not verify_webhook(body, signed, NEW, now=now)


def test_secrets_are_read_in_their_order() -> None:
    assert parse_secrets(f" {NEW} ,{OLD},") == (NEW, OLD)
    assert parse_secrets("") == ()


@pytest.mark.parametrize("text", ["short", f"{NEW},fifteen letters", "ä" * 16, ",".join([NEW] * 6)])
def test_a_bad_secret_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(entry \d+: )?must ") as refused:
        parse_secrets(text)

    assert "letters" not in str(refused.value)


def a_webhook(*, attempts: int = 0) -> Webhook:
    before = [WebhookAttempt(at=AT, duration_ms=1, status=500)] * attempts
    return Webhook(
        id=new_id("whk"),
        event=WebhookEvent.JOB_ENDED,
        subject_id=new_id("job"),
        url="http://A.example:8080/",
        created_at=AT,
        attempts=before,
    )


def attempted(*, attempts: int = 0, status: int | None = None, error: str | None = None) -> Webhook:
    attempt = WebhookAttempt(at=AT, duration_ms=0, status=status, error=error)
    return after_attempt(a_webhook(attempts=attempts), attempt, DELAYS)


@pytest.mark.parametrize("status", [200, 204, 299])
def test_an_answer_of_2xx_settles_it(status: int) -> None:
    after = attempted(status=status)

    assert (after.state, after.next_attempt_at) == (WebhookState.DELIVERED, None)


def test_a_receiver_that_is_gone_is_not_asked_again() -> None:
    assert attempted(status=410).state is WebhookState.FAILED


@pytest.mark.parametrize("status", [500, 302, 404, None])
def test_all_else_is_tried_again_later(status: int | None) -> None:
    after = attempted(status=status, error=None if status else "connection_failed")

    assert after.state is WebhookState.PENDING
    assert after.next_attempt_at is not None
    assert timedelta(seconds=8) <= after.next_attempt_at - AT <= timedelta(seconds=12)


def test_the_tenth_attempt_is_the_last_within_about_a_day() -> None:
    assert attempted(attempts=8, status=500).state is WebhookState.PENDING
    assert attempted(attempts=9, status=500).state is WebhookState.FAILED
    assert timedelta(hours=20) < sum(DELAYS, timedelta()) < timedelta(hours=26)


def test_its_receiver_is_host_and_port() -> None:
    assert a_webhook().receiver == "a.example/8080"
