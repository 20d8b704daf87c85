"""What the commands say: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from fleet_client.errors import FleetApiError, FleetClientError
from fleet_client.models import Artifact

_PAUSE_UNNOTICED_SECONDS = 2


def print_json(fields: dict[str, Any]) -> None:
    """One line of NDJSON, at once: the next program in the pipe may wait for it."""
    typer.echo(json.dumps(fields, ensure_ascii=False))
    sys.stdout.flush()


def print_note(text: str) -> None:
    typer.echo(text, err=True)


def print_error(error: FleetClientError, *, about: str | None = None) -> None:
    typer.echo(f"{'' if about is None else f'{about}: '}{sentence(error)}", err=True)


def print_pause(seconds: float, error: FleetClientError) -> None:
    """Why nothing happens; a short pause needs no reason."""
    if seconds > _PAUSE_UNNOTICED_SECONDS:
        print_note(f"{error} Trying again in {in_time(seconds)}.")


def sentence(error: FleetClientError) -> str:
    """With the ids that find it in the fleet's log."""
    ids = []
    if isinstance(error, FleetApiError):
        if error.job is not None:
            ids.append(error.job.id)
        if error.request_id is not None:
            ids.append(f"request {error.request_id}")
    return f"{error} ({', '.join(ids)})" if ids else str(error)


def error_json(error: FleetClientError) -> dict[str, Any]:
    if not isinstance(error, FleetApiError):
        return {"code": None, "message": str(error)}
    found = {"job_id": error.job.id if error.job else None, "request_id": error.request_id}
    return {"code": error.code, "message": error.message, "details": error.details, **found}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Ends the program with 1 if the file cannot be written."""
    try:
        yield
    except OSError as error:
        print_note(f"{path}: {error.strerror}")
        raise typer.Exit(1) from error


def facts(artifact: Artifact) -> str:
    """Such as `1280x720, 144 kB`."""
    said = []
    if artifact.width is not None:
        said.append(f"{artifact.width}x{artifact.height}")
    if artifact.pages is not None:
        said.append("1 page" if artifact.pages == 1 else f"{artifact.pages} pages")
    said.append(in_bytes(artifact.bytes))
    return ", ".join(said)


def in_bytes(count: float) -> str:
    for unit in ("bytes", "kB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} MB"


def in_time(seconds: float) -> str:
    """Such as `45 s`, `4 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
