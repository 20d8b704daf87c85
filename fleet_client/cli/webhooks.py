"""`fleet webhook …`"""

from itertools import islice
from typing import Annotated

import typer

from fleet_client import Webhook
from fleet_client.cli.options import Json, Server, command
from fleet_client.cli.printing import print_json
from fleet_client.cli.tables import Table, age
from fleet_client.models import WebhookAttempt

webhooks = typer.Typer(
    name="webhook",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="See who was told when something ended, and what they answered.",
)


@webhooks.command("list")
@command
def list_webhooks(
    *,
    server: Server,
    subject: Annotated[
        str | None, typer.Argument(metavar="SUBJECT", help="Only of this job, batch or session, by its id.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="So many of the newest.")] = 50,
    json: Json = False,
) -> None:
    """List webhooks, newest first.

    Examples:

    * `fleet webhook list $JOB`
    * `fleet webhook list --json | jq -r 'select(.state == "failed") | .url'`
    """
    with server.client() as client:
        _TABLE.show(islice(client.webhooks(subject_id=subject), limit), json=json)


@webhooks.command("show")
@command
def show(
    *,
    server: Server,
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, whk_…")],
    json: Json = False,
) -> None:
    """Show the attempts of one webhook, first to last."""
    with server.client() as client:
        found = client.webhook(webhook)
    if json:
        print_json(found.to_json())
    else:
        _ATTEMPTS.show(found.attempts, json=False)


def _row(webhook: Webhook) -> tuple[str, ...]:
    last = _answer(webhook.attempts[-1]) if webhook.attempts else ""
    created = age(webhook.created_at)
    return webhook.id, webhook.state, webhook.event, created, str(len(webhook.attempts)), last, webhook.url


def _attempt_row(attempt: WebhookAttempt) -> tuple[str, ...]:
    return age(attempt.at), f"{attempt.duration_ms} ms", _answer(attempt)


def _answer(attempt: WebhookAttempt) -> str:
    return str(attempt.status) if attempt.status is not None else attempt.error or ""


_TABLE = Table(("WEBHOOK", "STATE", "EVENT", "AGE", "ATTEMPTS", "LAST", "URL"), _row, "There is no webhook.")
_ATTEMPTS = Table(("AGE", "TIME", "ANSWER"), _attempt_row, "It has not been tried yet.")
