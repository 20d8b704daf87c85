"""`fleet session script …`"""

from pathlib import Path
from typing import Annotated

import typer

from fleet_client import Script
from fleet_client.cli.options import Json, Server, command
from fleet_client.cli.printing import in_bytes, print_json, print_note
from fleet_client.cli.session_id import SessionId
from fleet_client.cli.tables import Table, age

scripts = typer.Typer(
    name="script",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="JavaScript that runs in a session's pages before their own.",
)


@scripts.command("add")
@command
def add_script(
    *,
    session: SessionId,
    server: Server,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The JavaScript.")],
    json: Json = False,
) -> None:
    """Add a script to a session, and print its id. It runs from the next page on.

    Example: `fleet session script add $SESSION no-banners.js`
    """
    source = script_source(file, "FILE")
    with server.client() as client:
        added = client.add_script(session, source)
    if json:
        print_json(added.to_json())
    else:
        typer.echo(added.id)


@scripts.command("list")
@command
def list_scripts(*, session: SessionId, server: Server, json: Json = False) -> None:
    """List the scripts of a session, in the order in which they run."""
    with server.client() as client:
        _TABLE.show(client.scripts(session), json=json)


@scripts.command("remove")
@command
def remove_script(
    *,
    session: SessionId,
    server: Server,
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="Its id, scr_…")],
) -> None:
    """Remove a script from a session. Pages that are open keep what it did."""
    with server.client() as client:
        removed = client.remove_script(session, script)
    print_note(f"{removed.id} is removed.")


def script_source(path: Path, parameter: str) -> str:
    """`parameter`: that named the file."""
    try:
        return path.read_text(encoding="utf-8")
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not text in UTF-8.", param_hint=parameter) from error


def _row(script: Script) -> tuple[str, ...]:
    first_line = script.source.strip().partition("\n")[0]
    return script.id, in_bytes(script.bytes), age(script.created_at), first_line


_TABLE = Table(("SCRIPT", "SIZE", "AGE", "SOURCE"), _row, "The session has no script.")
