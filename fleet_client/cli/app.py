"""The `fleet` command and its parts."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from fleet_client.cli.archives import archive
from fleet_client.cli.batches import batch
from fleet_client.cli.captures import pdf, shot
from fleet_client.cli.doctor import doctor
from fleet_client.cli.sessions import sessions
from fleet_client.cli.webhooks import webhooks
from fleet_client.cli.workers import workers

_HELP = """Take pictures and PDFs of web pages with a Capture Fleet.

The fleet's address is `$FLEET_URL` (http://127.0.0.1:8080 if it is not set), its API key `$FLEET_API_KEY`.

Begin with `fleet doctor`, then `fleet shot https://example.org/ -o page.png`.
"""

app = typer.Typer(
    name="fleet",
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  # typer's way
    if not wanted:
        return
    try:
        typer.echo(f"fleet {version('capture-fleet')}")
    except PackageNotFoundError:
        typer.echo("fleet, from a checkout")
    raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """For what holds for all commands."""


app.command()(shot)
app.command()(pdf)
app.add_typer(sessions)
app.command()(batch)
app.command()(archive)
app.add_typer(workers)
app.add_typer(webhooks)
app.command()(doctor)


def main() -> None:
    app(prog_name="fleet")
