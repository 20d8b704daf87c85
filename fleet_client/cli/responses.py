"""`fleet session responses` and `fleet session body`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fleet_client import CapturedResponse
from fleet_client.cli.options import Json, Server, command
from fleet_client.cli.printing import in_bytes, writing
from fleet_client.cli.session_id import SessionId
from fleet_client.cli.tables import Table


@command
def responses(
    *,
    session: SessionId,
    server: Server,
    url: Annotated[str | None, typer.Option(metavar="PATTERN", help="Only of these URLs; * is any run.")] = None,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="Such as 404 or 4xx; 0: none came.")] = None,
    resource_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Such as document, xhr, fetch, image.")
    ] = None,
    mime_type: Annotated[str | None, typer.Option(metavar="PATTERN", help="Such as application/json, image/*.")] = None,
    json: Json = False,
) -> None:
    """List what a session's pages received lately, newest first. Needs a session that was opened to record it.

    Examples:

    * `SESSION=$(fleet session open https://example.org/ --record-responses)`
    * `fleet session responses $SESSION --status 4xx`
    * `fleet session responses $SESSION --url '*/api/*' --json | jq -r .id`
    """
    with server.client() as client:
        found = client.responses(session, url=url, status=status, resource_type=resource_type, mime_type=mime_type)
        _TABLE.show(found, json=json)


@command
def body(
    *,
    session: SessionId,
    server: Server,
    response: Annotated[str, typer.Argument(metavar="RESPONSE", help="Its id, rsp_…")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.", dir_okay=False)
    ] = None,
) -> None:
    """Write the body of a response that a session's page received, as far as it was kept.

    Example: `fleet session body $SESSION $RESPONSE | jq`
    """
    with server.client() as client:
        content = client.read_response(session, response)
    if output is not None:
        with writing(output):
            output.write_bytes(content)
        return
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _row(response: CapturedResponse) -> tuple[str, ...]:
    answer = response.failure or str(response.response.status)
    size = in_bytes(response.response.content.size)
    taken = f"{response.time:.0f} ms"
    return response.id, answer, response.resource_type, size, taken, response.request.method, response.request.url


_TABLE = Table(
    ("RESPONSE", "STATUS", "TYPE", "SIZE", "TIME", "METHOD", "URL"),
    _row,
    "No response is kept. A session keeps them for minutes, and only if it was opened with --record-responses.",
)
