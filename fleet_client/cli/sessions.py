"""`fleet session …`"""

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from fleet_client import Session
from fleet_client.cli.captures import Output, Pages, capture_all, check_json, picture_type
from fleet_client.cli.options import Browser, Json, Paper, Picture, Server, Visit, command
from fleet_client.cli.printing import in_bytes, in_time, print_json, print_note
from fleet_client.cli.responses import body, responses
from fleet_client.cli.scripts import script_source, scripts
from fleet_client.cli.session_id import SessionId
from fleet_client.cli.tables import Table, age
from fleet_client.cli.targets import suffix, targets

sessions = typer.Typer(
    name="session",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Keep a browser open between captures: logged in, with its cookies and its page.",
)


@sessions.command("open")
@command
def open_session(
    *,
    browser: Browser,
    server: Server,
    url: Annotated[str | None, typer.Argument(metavar="URL", help="A page to begin with.")] = None,
    ttl: Annotated[
        int | None, typer.Option(metavar="SECONDS", min=1, help="Ends when nobody used it for so long. Default: 1800.")
    ] = None,
    storage_state: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="Cookies and storage that Playwright saved, as JSON."
        ),
    ] = None,
    script: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="JavaScript to run before each page's own; repeatable."
        ),
    ] = None,
    record_responses: Annotated[
        bool,
        typer.Option(
            "--record-responses", metavar="", help="Keep what its pages receive, see `fleet session responses`."
        ),
    ] = False,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="To know it again by; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Open a session, wait until it runs, and print its id.

    Examples:

    * `SESSION=$(fleet session open --device 'iPhone 15')`
    * `fleet session open https://example.org/ --storage-state login.json --ttl 600`
    """
    options = browser.context() | {
        name: value
        for name, value in (("url", url), ("ttl", ttl), ("metadata", _metadata(metadata))) if value is not None
    }  # fmt: skip
    if storage_state is not None:
        options["storage_state"] = _parsed(storage_state)
    if script:
        options["scripts"] = [script_source(path, "--script") for path in script]
    if record_responses:
        options["record_responses"] = True
    with server.client() as client:
        session = client.create_session(**options)
    if json:
        print_json(session.to_json())
    else:
        typer.echo(session.id)


@sessions.command("list")
@command
def list_sessions(*, server: Server, json: Json = False) -> None:
    """List the sessions that are open, newest first.

    Example: `fleet session list --json | jq -r .id`
    """
    with server.client() as client:
        _TABLE.show(client.sessions(), json=json)


@sessions.command("capture")
@command
def capture(
    *,
    session: SessionId,
    picture: Picture,
    paper: Paper,
    visit: Visit,
    server: Server,
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="Where to go first. Without it: the page as it stands.")
    ] = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Capture a page in a session. The file's name says what: .png, .jpg, .webp, .pdf, or .html.

    Examples:

    * `fleet session capture $SESSION https://example.org/account -o account.png`
    * `fleet session capture $SESSION -o account.pdf`
    """
    check_json(output, json=json)
    wanted, ending = _output(picture, paper, output)
    (target,) = targets([url or session], output, ending)
    body = visit.body() | {"outputs": [wanted]}
    pages = Pages([type(target)(url, target.path)], body, session_id=session, json=json)
    capture_all(pages, server)


@sessions.command("close")
@command
def close(
    sessions_: Annotated[list[str], typer.Argument(metavar="SESSION", help="Their ids, ses_…")], server: Server
) -> None:
    """Close sessions, and wait until they have ended.

    Example: `fleet session close $SESSION`
    """
    with server.client() as client:
        for session_id in sessions_:
            client.close_session(session_id)
            print_note(f"{session_id} is closed.")


sessions.command("responses")(responses)
sessions.command("body")(body)
sessions.add_typer(scripts)


def _output(picture: Picture, paper: Paper, output: str | None) -> tuple[dict[str, Any], str]:
    """With the ending of a file that has no name yet."""
    match suffix(output):
        case "pdf":
            return paper.output(), "pdf"
        case "html" | "htm":
            return {"kind": "html"}, "html"
    kind = picture_type(picture, output)
    return picture.output(kind), kind.value


def _row(session: Session) -> tuple[str, ...]:
    memory = "" if session.memory_bytes is None else in_bytes(session.memory_bytes)
    return session.id, session.state, age(session.created_at), in_time(session.ttl), memory, session.url or ""


_TABLE = Table(("SESSION", "STATE", "AGE", "LEFT", "MEMORY", "PAGE"), _row, "No session is open.")


def _metadata(given: list[str] | None) -> dict[str, str] | None:
    if not given:
        return None
    pairs = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"'{one}' is not of the form NAME=VALUE.", param_hint="--metadata")
        pairs[name] = value
    return pairs


def _parsed(path: Path) -> Any:
    try:
        return jsonlib.loads(path.read_bytes())
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not JSON ({error}).", param_hint="--storage-state") from error
