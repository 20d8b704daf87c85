"""Webhooks: expected when something is accepted, listed with their attempts. Workers deliver them."""

from datetime import datetime

from fleet.errors import InvalidRequest, WebhookNotFound
from fleet.ids import is_id
from fleet.models.webhook import Webhook, WebhookEvent
from fleet.store.index import Cursor, Page
from fleet.store.webhooks import WebhookStore


class WebhookService:
    def __init__(self, webhooks: WebhookStore, *, are_signed: bool) -> None:
        """`are_signed`: whether there is a secret to sign them with."""
        self._webhooks = webhooks
        self._are_signed = are_signed

    def check(self, url: str | None) -> None:
        """Raises InvalidRequest, if nothing could be sent there: nobody could tell it from what others send."""
        if url is not None and not self._are_signed:
            message = (
                "webhook_url: this fleet has no secret to sign webhooks with; its operator sets FLEET_WEBHOOK_SECRETS."
            )
            raise InvalidRequest(message, field="webhook_url")

    def expect(
        self, event: WebhookEvent, subject_id: str, url: str | None, *, earlier_end: datetime | None = None
    ) -> None:
        """To be called before the subject is accepted, or begins anew. Raises InvalidRequest."""
        self.check(url)
        if url is not None:
            self._webhooks.expect(event, subject_id, url, earlier_end=earlier_end)

    def get(self, webhook_id: str) -> Webhook:
        """Raises WebhookNotFound."""
        webhook = self._webhooks.get(webhook_id) if is_id(webhook_id, "whk") else None
        if webhook is None:
            raise WebhookNotFound(f"There is no webhook '{webhook_id[:64]}', or its record has expired.")
        return webhook

    def newest(self, *, subject_id: str | None, limit: int, cursor: Cursor | None) -> Page[Webhook]:
        """Raises InvalidRequest, if no job, batch or session can have that id."""
        if subject_id and not any(is_id(subject_id, prefix) for prefix in ("job", "bat", "ses")):
            message = "subject_id: give the id of a job, a batch or a session."
            raise InvalidRequest(message, field="subject_id")
        return self._webhooks.newest(subject_id=subject_id, limit=limit, cursor=cursor)
