"""`fleet doctor`"""

from collections.abc import Iterator

import typer

from fleet_client import FleetClient, Retries
from fleet_client.cli.options import Json, Server, command
from fleet_client.cli.printing import print_json
from fleet_client.doctor import over_http, this_machine
from fleet_client.doctor.finding import Finding, unknown

_MARKS = {"ok": ("ok", typer.colors.GREEN), "warning": ("!", typer.colors.YELLOW)}
_MARKS |= {"failed": ("FAIL", typer.colors.RED), "unknown": ("?", typer.colors.BLUE)}
_LOCAL = "redis, chrome, sandbox, fonts, shared memory and temporary folder of the fleet's machines"


@command
def doctor(*, server: Server, json: Json = False) -> None:
    """Look for what may be wrong with the fleet, and say what to do.

    Through the API: whether it answers and takes the key, Redis, workers, Chrome, alerts, the clock, and a canary page
    captured as PNG and PDF, with fonts for many scripts. In a checkout of the server or in its containers (`make
    doctor`) also the machine: settings, Redis, Chrome, sandbox, fonts, shared memory, temporary folder.

    The exit code is 1 if something failed. Warnings leave it 0.
    """
    found = []
    with server.client(Retries(times=0)) as fleet:
        for finding in _all(fleet):
            found.append(finding)
            if json:
                print_json(finding.to_json())
            else:
                _print(finding)
    if any(finding.verdict == "failed" for finding in found):
        raise typer.Exit(1)


def _all(fleet: FleetClient) -> Iterator[Finding]:
    if this_machine.is_of_a_fleet():
        yield from this_machine.findings()
    else:
        yield unknown("this machine", f"not looked at: {_LOCAL}", "There, run `make doctor` in the checkout.")
    yield from over_http.findings(fleet)


def _print(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    typer.secho(f"{mark:>5}", fg=colour, nl=False)
    typer.echo(f"  {finding.check}: {finding.text}")
    if finding.remedy is not None:
        typer.echo(f"       → {finding.remedy}")
