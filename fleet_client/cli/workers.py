"""`fleet worker …`"""

from typing import Annotated

import typer

from fleet_client import Worker
from fleet_client.cli.options import Json, Server, command
from fleet_client.cli.printing import in_bytes, print_note
from fleet_client.cli.tables import Table, age

workers = typer.Typer(
    name="worker",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="See which workers the fleet has, and empty one before it is stopped.",
)


@workers.command("list")
@command
def list_workers(*, server: Server, json: Json = False) -> None:
    """List the workers that are alive.

    Example: `fleet worker list --json | jq -r 'select(.draining) | .name'`
    """
    with server.client() as client:
        _TABLE.show(client.workers(), json=json)


@workers.command("drain")
@command
def drain(
    *,
    server: Server,
    names: Annotated[list[str], typer.Argument(metavar="WORKER", help="Their names, of `fleet worker list`.")],
) -> None:
    """Empty workers: they take no more work, end what they have in hand, and give their sessions to others.

    They go on running, empty, until they are started anew. Where there are API keys, this takes an operator's.

    Example: `fleet worker drain worker-1@host`
    """
    with server.client() as client:
        for name in names:
            drained = client.drain_worker(name)
            print_note(f"{drained.name} is being emptied; {drained.sessions:,} sessions are still there.")


def _row(worker: Worker) -> tuple[str, ...]:
    sessions = f"{worker.sessions}/{worker.session_limit}"
    memory = f"{in_bytes(worker.memory_bytes)} of {in_bytes(worker.memory_limit_bytes)}"
    return worker.name, _state(worker), sessions, memory, age(worker.started_at), worker.browser_version


def _state(worker: Worker) -> str:
    if worker.draining:
        return "draining"
    if not worker.chrome_up:
        return "chrome down"
    if not worker.storage_up:
        return "storage down"
    return "ok" if worker.admits_sessions else "memory high"


_TABLE = Table(("WORKER", "STATE", "SESSIONS", "MEMORY", "AGE", "BROWSER"), _row, "No worker is alive.")
