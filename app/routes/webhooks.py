"""/api/webhooks"""

from http import HTTPStatus
from typing import Any

from flask_openapi3 import APIBlueprint, Tag

from app.cursors import parse_cursor
from app.routes.models import WebhookPage, WebhookPath, WebhooksQuery
from app.routes.rendering import Answer, page_json
from app.wiring import services
from fleet.models.webhook import Webhook

api = APIBlueprint("webhooks", __name__, abp_tags=[Tag(name="webhooks", description="What was told, and to whom.")])


@api.get("/api/webhooks", summary="List webhooks, newest first", responses={200: WebhookPage})
def list_webhooks(query: WebhooksQuery) -> Answer:
    """Of jobs, batches and sessions that have ended."""
    page = services().webhooks.newest(subject_id=query.subject_id, limit=query.limit, cursor=parse_cursor(query.cursor))
    return page_json("webhooks", page, _webhook_json), HTTPStatus.OK


@api.get("/api/webhooks/<webhook_id>", summary="One webhook with its attempts", responses={200: Webhook})
def get_webhook(path: WebhookPath) -> Answer:
    return _webhook_json(services().webhooks.get(path.webhook_id)), HTTPStatus.OK


def _webhook_json(webhook: Webhook) -> dict[str, Any]:
    return webhook.model_dump(mode="json")
