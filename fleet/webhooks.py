"""How webhooks are signed, and when they are tried again."""

import hashlib
import hmac
import random
from datetime import datetime, timedelta
from typing import Final

from fleet.models.webhook import Webhook, WebhookAttempt, WebhookState

_SECRET_LENGTH_MIN = 16
# Two while they rotate; each is one more HMAC for each attempt.
_SECRETS_MAX = 5

# Between one attempt and the next. All together take a day.
DELAYS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 3600, 10_800, 21_600, 21_600, 25_200)
)
# By part of the delay, so that what failed together is not tried together.
_JITTER = 0.2
# The receiver's word that nobody is there any more.
_GONE = 410


def parse_secrets(text: str) -> tuple[str, ...]:
    """Separated by commas. Raises ValueError that names an entry by its place: any part of it may be a secret."""
    secrets = tuple(part.strip() for part in text.split(",") if part.strip())
    for place, secret in enumerate(secrets, start=1):
        if len(secret) < _SECRET_LENGTH_MIN or not secret.isascii():
            message = f"entry {place}: must have at least {_SECRET_LENGTH_MIN} characters, all ASCII"
            raise ValueError(message)
    if len(secrets) > _SECRETS_MAX:
        message = f"must not have more than {_SECRETS_MAX} secrets"
        raise ValueError(message)
    return secrets


def signature(secrets: tuple[str, ...], body: bytes, at: datetime) -> str:
    """Value of `Fleet-Signature`: one `v1` for each secret, over the timestamp, a dot and the body."""
    moment = int(at.timestamp())
    signed = b"%d.%b" % (moment, body)
    digests = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={moment}", *(f"v1={digest}" for digest in digests)])


def after_attempt(webhook: Webhook, attempt: WebhookAttempt, delays: tuple[timedelta, ...]) -> Webhook:
    """As it stands then: settled, or with the time of its next attempt."""
    attempts = [*webhook.attempts, attempt]
    changes: dict[str, object] = {"attempts": attempts, "next_attempt_at": None}
    if attempt.status is not None and 200 <= attempt.status <= 299:  # success, by HTTP
        changes["state"] = WebhookState.DELIVERED
    elif attempt.status == _GONE or len(attempts) > len(delays):
        changes["state"] = WebhookState.FAILED
    else:
        delay = delays[len(attempts) - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)
        changes["next_attempt_at"] = attempt.at + timedelta(milliseconds=attempt.duration_ms) + delay
    return webhook.model_copy(update=changes)
