"""Delivers webhooks whose time has come, a few at a time, under the egress policy.

In threads of the browser host: the pool's children are for captures, and the Celery parent forks, so it has no threads.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from threading import BoundedSemaphore, Thread

import structlog

from fleet.checked_http import CheckedHttp
from fleet.clock import utc_now
from fleet.errors import FleetError
from fleet.models.webhook import Webhook, WebhookAttempt, WebhookState
from fleet.store.webhooks import WebhookStore
from fleet.webhooks import DELAYS, after_attempt, signature

_log = structlog.get_logger(__name__)

_AT_ONCE = 8
_ATTEMPT_SECONDS = 10.0


class WebhookDeliveries:
    def __init__(
        self,
        webhooks: WebhookStore,
        http: CheckedHttp,
        secrets: tuple[str, ...],
        *,
        on_attempt: Callable[[WebhookState], None],
        delays: tuple[timedelta, ...] = DELAYS,
    ) -> None:
        """`on_attempt` hears the state of the webhook after each. `delays`: between attempts."""
        self._webhooks = webhooks
        self._http = http
        self._secrets = secrets
        self._on_attempt = on_attempt
        self._delays = delays
        self._seats = BoundedSemaphore(_AT_ONCE)

    def look(self) -> None:
        """Begins with as many as there are threads for. Without a secret: with none, for other workers may have one."""
        while self._secrets and self._seats.acquire(blocking=False):
            begun = False
            try:
                begun = self._begin()
            finally:
                if not begun:
                    self._seats.release()
            if not begun:
                return

    def _begin(self) -> bool:
        claimed = self._webhooks.claim()
        if claimed is not None:
            # What a host that ends leaves undone is taken up again when its lease has run out.
            Thread(target=self._work, args=claimed, name="webhook", daemon=True).start()
        return claimed is not None

    def _work(self, webhook: Webhook, body: bytes) -> None:
        """This one, and those that are due when it is done."""
        try:
            self.deliver(webhook, body)
            while claimed := self._webhooks.claim():
                self.deliver(*claimed)
        except FleetError as error:
            _log.warning("webhook not settled; it is tried again", webhook=webhook.id, cause=error.message)
        finally:
            self._seats.release()

    def deliver(self, webhook: Webhook, body: bytes) -> None:
        """One attempt, and what follows from it. Raises StoreUnavailable."""
        attempt = self._attempt(webhook, body)
        after = after_attempt(webhook, attempt, self._delays)
        self._webhooks.settle(after)
        self._on_attempt(after.state)
        _log.info(
            "webhook attempted", webhook=webhook.id, subject=webhook.subject_id, state=after.state.value,
            status=attempt.status, code=attempt.error, attempts=len(after.attempts), ms=attempt.duration_ms,
        )  # fmt: skip

    def _attempt(self, webhook: Webhook, body: bytes) -> WebhookAttempt:
        at, started = utc_now(), time.monotonic()
        headers = {
            "Content-Type": "application/json",
            "Fleet-Event": webhook.event.value,
            "Fleet-Delivery": webhook.id,
            "Fleet-Signature": signature(self._secrets, body, at),
        }
        status, code = None, None
        try:
            status = self._http.post(webhook.url, body, headers, deadline=started + _ATTEMPT_SECONDS)
        except FleetError as error:
            code = error.code
        duration_ms = round((time.monotonic() - started) * 1000)
        return WebhookAttempt(at=at, duration_ms=duration_ms, status=status, error=code)
