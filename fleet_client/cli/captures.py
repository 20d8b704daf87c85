"""`fleet shot` and `fleet pdf`."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from fleet_client import AsyncFleetClient, FleetClientError, Job
from fleet_client.cli.options import Browser, Json, Paper, Picture, PictureType, Server, Visit, command
from fleet_client.cli.printing import error_json, facts, in_time, print_error, print_json, print_note
from fleet_client.cli.running import run
from fleet_client.cli.targets import STANDARD, Target, suffix, targets, urls_of

_PICTURE_TYPES = {"": "png", "png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}

Urls = Annotated[
    list[str], typer.Argument(metavar="URL", help="Pages to capture. - reads them from standard input, one a line.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|FOLDER|-",
        help="For several pages a folder; - is standard output. Without it, files are named after the pages.",
    ),
]
Concurrency = Annotated[
    int, typer.Option("--concurrency", "-c", metavar="N", min=1, max=50, help="Pages at once, of several.")
]


@command
def shot(
    *,
    urls: Urls,
    picture: Picture,
    visit: Visit,
    browser: Browser,
    server: Server,
    output: Output = None,
    concurrency: Concurrency = 4,
    json: Json = False,
) -> None:
    """Take a picture of a page, or of each of several pages.

    Examples:

    * `fleet shot https://example.org/ -o page.png`
    * `fleet shot https://example.org/ --full-page -o page.webp`
    * `fleet shot https://example.org/ --selector h1 -o - | display`
    * `cat urls.txt | fleet shot - -o pictures/ --json > done.ndjson`

    The exit code is 1 if a page could not be captured. For more pages than you would wait for, see `fleet batch`.
    """
    check_json(output, json=json)
    kind = picture_type(picture, output)
    found = targets(urls_of(urls), output, "jpg" if kind is PictureType.JPEG else kind.value)
    body = visit.body() | {"outputs": [picture.output(kind)], "context": browser.context()}
    capture_all(Pages(found, body, concurrency=concurrency, json=json), server)


@command
def pdf(
    *,
    urls: Urls,
    paper: Paper,
    visit: Visit,
    browser: Browser,
    server: Server,
    output: Output = None,
    concurrency: Concurrency = 4,
    json: Json = False,
) -> None:
    """Print a page to a PDF, or each of several pages.

    Examples:

    * `fleet pdf https://example.org/ -o page.pdf`
    * `fleet pdf https://example.org/ --format A4 --margin 1.5cm --landscape`
    * `cat urls.txt | fleet pdf - -o papers/ --json > done.ndjson`

    The exit code is 1 if a page could not be printed.
    """
    check_json(output, json=json)
    found = targets(urls_of(urls), output, "pdf")
    body = visit.body() | {"outputs": [paper.output()], "context": browser.context()}
    capture_all(Pages(found, body, concurrency=concurrency, json=json), server)


def picture_type(picture: Picture, output: str | None) -> PictureType:
    """What `--type` says, else the file's name."""
    if picture.type is not None:
        return picture.type
    ending = suffix(output)
    if ending == "pdf":
        raise typer.BadParameter("For a PDF there is `fleet pdf`.", param_hint="-o")
    if ending not in _PICTURE_TYPES:
        known = ", ".join(f".{name}" for name in _PICTURE_TYPES if name)
        raise typer.BadParameter(f"Pictures end in {known}; or say which --type it is.", param_hint="-o")
    return PictureType(_PICTURE_TYPES[ending])


@dataclass(frozen=True)
class Pages:
    """What is asked of each page is the same `body`."""

    targets: list[Target]
    body: Mapping[str, Any]
    session_id: str | None = None
    concurrency: int = 1
    json: bool = False


def capture_all(pages: Pages, server: Server) -> None:
    """Says of each how it went, as it comes, and ends the program with 1 if one failed."""
    if not run(_captured(pages, server)):
        raise typer.Exit(1)


async def _captured(pages: Pages, server: Server) -> bool:
    """Whether all went well."""
    waiting = iter(pages.targets)
    async with server.async_client() as client, asyncio.TaskGroup() as group:
        hands = [
            group.create_task(_work_off(client, waiting, pages))
            for _ in range(min(pages.concurrency, len(pages.targets)))
        ]
    return all(hand.result() for hand in hands)


async def _work_off(client: AsyncFleetClient, waiting: Iterator[Target], pages: Pages) -> bool:
    went_well = True
    for target in waiting:
        try:
            job = await client.capture(target.url, session_id=pages.session_id, **pages.body)
            await _keep(client, job, target)
        except FleetClientError as error:
            went_well = False
            _tell_failure(target, error, json=pages.json)
        except OSError as error:
            went_well = False
            _tell_unwritten(target, error, json=pages.json)
        else:
            _tell(job, target, json=pages.json)
    return went_well


async def _keep(client: AsyncFleetClient, job: Job, target: Target) -> None:
    artifact = job.artifacts[0]
    if target.path is not None:
        await client.download(artifact, target.path)
        return
    sys.stdout.buffer.write(await client.read(artifact))
    sys.stdout.buffer.flush()


def _tell(job: Job, target: Target, *, json: bool) -> None:
    if job.result is not None and not json:
        for warning in job.result.warnings:
            print_note(f"{target.url or job.result.final_url}: warning: {warning}")
    if target.path is None:
        return
    if json:
        print_json({"url": target.url, "file": str(target.path), "error": None, "job": job.to_json()})
        return
    took = (job.finished_at - job.queued_at).total_seconds() if job.finished_at else 0
    typer.echo(f"{target.path}  ({facts(job.artifacts[0])}, {in_time(took)})")


def _tell_failure(target: Target, error: FleetClientError, *, json: bool) -> None:
    print_error(error, about=target.url)
    if json:
        print_json({"url": target.url, "file": None, "error": error_json(error), "job": None})


def _tell_unwritten(target: Target, error: OSError, *, json: bool) -> None:
    message = f"{target.path or 'standard output'}: {error.strerror}"
    print_note(message)
    if json:
        print_json({"url": target.url, "file": None, "error": {"code": None, "message": message}, "job": None})


def check_json(output: str | None, *, json: bool) -> None:
    if json and output == STANDARD:
        raise typer.BadParameter("Standard output is either the file or the JSON.", param_hint="--json")
