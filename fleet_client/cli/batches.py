"""`fleet batch`"""

import json as jsonlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from fleet_client import Batch, BatchItem, FleetClientError, RequestRefused
from fleet_client.cli.batch_folder import BatchBody, BatchFolder, FolderInUse
from fleet_client.cli.batch_run import BatchRun
from fleet_client.cli.batch_view import BatchView
from fleet_client.cli.options import (
    INTERRUPTED,
    PATIENT,
    Browser,
    Json,
    Paper,
    Picture,
    PictureType,
    Server,
    Visit,
    command,
)
from fleet_client.cli.printing import in_time, print_error, print_json, print_note
from fleet_client.cli.running import run
from fleet_client.cli.targets import STANDARD

FAILURES_MAX = 100
NOT_CARRIED_OUT = 101

# The API's own limit.
_BODY_BYTES_MAX = 256 * 1024 * 1024
_MEDIA_TYPES = {
    "text": "text/plain",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "json": "application/json",
}
_BY_SUFFIX = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "json"}
_HOW = "How the batch is worked off"


class ListFormat(StrEnum):
    TEXT = "text"
    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"


@dataclass(frozen=True)
class Pace:
    concurrency: Annotated[
        int | None,
        Option(
            "--concurrency", "-c", metavar="N", min=1, max=100, help="Pages at once. Default: 10.", rich_help_panel=_HOW
        ),
    ] = None
    per_host: Annotated[
        int | None,
        Option(
            "--per-host", metavar="N", min=1, max=100, help="Of one site at once. Default: 4.", rich_help_panel=_HOW
        ),
    ] = None
    per_host_delay: Annotated[
        float | None,
        Option(
            "--per-host-delay",
            metavar="SECONDS",
            min=0,
            max=600,
            help="Between two pages of one site.",
            rich_help_panel=_HOW,
        ),
    ] = None
    retries: Annotated[
        int | None,
        Option(
            "--retries",
            metavar="N",
            min=0,
            max=10,
            help="Of a page that may do better. Default: 2.",
            rich_help_panel=_HOW,
        ),
    ] = None
    stop_after_failures: Annotated[
        int | None,
        Option(
            "--stop-after-failures", metavar="N", min=1, help="So many failures end the batch.", rich_help_panel=_HOW
        ),
    ] = None
    session: Annotated[
        str | None,
        Option("--session", metavar="SESSION", help="Capture them all in this session.", rich_help_panel=_HOW),
    ] = None

    def options(self) -> dict[str, Any]:
        """Under the API's names; only what was given."""
        given = {
            "concurrency": self.concurrency,
            "per_host_concurrency": self.per_host,
            "per_host_delay": None if self.per_host_delay is None else round(self.per_host_delay * 1000),
            "retries": self.retries,
            "stop_after_failures": self.stop_after_failures,
            "session_id": self.session,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Going:
    """Which batch, and what is said of it."""

    folder: BatchFolder
    server: Server
    json: bool
    cancel_on_interrupt: bool


@command
def batch(
    *,
    pace: Pace,
    picture: Picture,
    paper: Paper,
    visit: Visit,
    browser: Browser,
    server: Server,
    source: Annotated[
        str | None, typer.Argument(metavar="LIST", help="A file of URLs, one a line, or CSV, NDJSON, JSON. -: stdin.")
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FOLDER", file_okay=False, help="For the files and the manifest.")
    ] = None,
    resume: Annotated[
        Path | None, Option("--resume", metavar="FOLDER", file_okay=False, help="Go on with the batch of this folder.")
    ] = None,
    retry_failed: Annotated[
        Path | None,
        Option(
            "--retry-failed",
            metavar="FOLDER",
            file_okay=False,
            help="Begin anew what did not succeed in the batch of this folder, which has ended.",
        ),
    ] = None,
    cancel: Annotated[
        Path | None, Option("--cancel", metavar="FOLDER", file_okay=False, help="Stop the batch of this folder.")
    ] = None,
    pdf: Annotated[bool, Option("--pdf", metavar="", help="Take PDFs instead of pictures.")] = False,
    list_format: Annotated[
        ListFormat | None, Option("--list-format", help="Of LIST. Default: by its name, else text.")
    ] = None,
    cancel_on_interrupt: Annotated[
        bool,
        Option("--cancel-on-interrupt", metavar="", help="Ctrl-C stops the batch, too, and not just this command."),
    ] = False,
    json: Json = False,
) -> None:
    """Capture a list of pages into a folder.

    The fleet works the list off by itself; this command shows how it goes and fetches what has come. Ctrl-C ends just
    the command: `--resume`, or the same command again, goes on where it was.

    Examples:

    * `fleet batch urls.txt -o out/`
    * `fleet batch pages.csv -o out/ --full-page --type webp --concurrency 20`
    * `fleet batch --resume out/`
    * `fleet batch --retry-failed out/`
    * `crawl | fleet batch - -o out/ --json | jq -r 'select(.error) | .url'`

    In the folder: a file for each page, and `manifest.jsonl` with a line for each, as it comes.

    The exit code is the number of pages that failed, at most 100. 101: the batch could not be carried out, see standard
    error. 130: Ctrl-C. (2 is also that of a command line with a mistake.)
    """
    given = [one for one in (source, resume, retry_failed, cancel) if one is not None]
    if len(given) != 1 or (source is not None) != (output is not None):
        ways = "LIST and -o FOLDER, or one FOLDER with --resume, --retry-failed or --cancel"
        raise typer.BadParameter(f"Give {ways}.", param_hint="LIST")
    with BatchFolder(resume or retry_failed or cancel or output or Path()) as folder, _told(folder):
        going = Going(folder, server, json, cancel_on_interrupt)
        if source is not None:
            output_ = paper.output() if pdf else picture.output(picture.type or PictureType.PNG)
            capture = visit.body() | {"outputs": [output_]} | _context(browser)
            _begin(going, _body(source, list_format, pace.options(), capture))
        else:
            folder.open()
        if cancel is not None:
            _cancel(going)
            return
        if retry_failed is not None:
            _begin_anew(going)
        _tell_end(going, _followed(going))
        raise typer.Exit(min(folder.failures, FAILURES_MAX))


@contextmanager
def _told(folder: BatchFolder) -> Iterator[None]:
    """What keeps a batch from being carried out, in words and an exit code."""
    try:
        yield
    except FolderInUse as error:
        raise typer.BadParameter(str(error), param_hint="FOLDER") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        print_note(f"{error.filename or folder.path}: {error.strerror}")
        raise typer.Exit(NOT_CARRIED_OUT) from error
    except FleetClientError as error:
        print_error(error)
        if folder.batch_id is not None and not isinstance(error, RequestRefused):
            print_note(f"The batch goes on by itself. Come back to it: fleet batch --resume {folder.path}")
        raise typer.Exit(NOT_CARRIED_OUT) from error


def _context(browser: Browser) -> dict[str, Any]:
    context = browser.context()
    return {"context": context} if context else {}


def _body(source: str, list_format: ListFormat | None, options: dict[str, Any], capture: dict[str, Any]) -> BatchBody:
    content = _content(source)
    kind = list_format.value if list_format else _BY_SUFFIX.get(Path(source).suffix.lower(), "text")
    if kind != "json":
        query = {name: str(value) for name, value in options.items()} | {"capture": jsonlib.dumps(capture)}
        return BatchBody(content, _MEDIA_TYPES[kind], query)
    try:
        body = jsonlib.loads(content)
    except ValueError as error:
        raise typer.BadParameter(f"{source} is not JSON ({error}).", param_hint="LIST") from error
    if isinstance(body, list):
        body = {"urls": body} if all(isinstance(one, str) for one in body) else {"items": body}
    # What the file says itself wins.
    merged = {**options, **body, "capture": {**capture, **body.get("capture", {})}}
    return BatchBody(jsonlib.dumps(merged).encode(), _MEDIA_TYPES[kind], {})


def _content(source: str) -> bytes:
    if source == STANDARD:
        content = sys.stdin.buffer.read(_BODY_BYTES_MAX + 1)
    else:
        with Path(source).open("rb") as file:
            content = file.read(_BODY_BYTES_MAX + 1)
    if len(content) > _BODY_BYTES_MAX:
        raise typer.BadParameter(f"A batch has at most {_BODY_BYTES_MAX} bytes; split it.", param_hint="LIST")
    if not content.strip():
        raise typer.BadParameter(f"{source} is empty.", param_hint="LIST")
    return content


def _begin(going: Going, body: BatchBody) -> None:
    """A new batch, or the one that the same command has begun before."""
    folder = going.folder
    folder.open_for(body)
    if folder.batch_id is not None:
        print_note(f"Goes on with {folder.batch_id}, of which {len(folder.done):,} are here.")
        return
    try:
        with going.server.client(PATIENT) as client:
            accepted = client.create_batch_from(
                body.content, body.media_type, query=body.query, idempotency_key=folder.key
            )
    except RequestRefused:
        folder.forget()
        raise
    folder.accepted_as(accepted.id)
    left_out = f" ({accepted.duplicates:,} more stand there twice)" if accepted.duplicates else ""
    print_note(f"{accepted.id}: {accepted.counts.total:,} pages{left_out}.")


def _begin_anew(going: Going) -> None:
    """What did not succeed, and what could not be fetched; not twice, if the same command is given again."""
    folder = going.folder
    with going.server.client(PATIENT) as client:
        batch = client.batch(_batch_id(folder))
        if not batch.has_ended:
            print_note(f"Goes on with {batch.id}, which has not ended.")
            return
        # Before they begin: whatever comes between, no end stays noted that is none any more.
        folder.forget_failures()
        left = batch.counts.total - batch.counts.succeeded
        if left:
            client.retry_batch(batch.id)
    print_note(f"{batch.id}: {left:,} of {batch.counts.total:,} pages begin anew.")


def _batch_id(folder: BatchFolder) -> str:
    """Raises FolderInUse."""
    if folder.batch_id is None:
        raise FolderInUse("The fleet has not accepted this batch yet; give the command that began it again.")
    return folder.batch_id


def _followed(going: Going) -> Batch:
    """The batch, once it has ended and all is here. Ends the program on Ctrl-C."""
    batch_id = _batch_id(going.folder)
    try:
        return run(_follow(going, batch_id))
    except KeyboardInterrupt as interrupt:
        _tell_interrupt(going)
        raise typer.Exit(INTERRUPTED) from interrupt


async def _follow(going: Going, batch_id: str) -> Batch:
    with BatchView() as view:

        def on_item(item: BatchItem, line: dict[str, Any]) -> None:
            view.tell(item, line)
            if going.json:
                print_json(line)

        async with going.server.async_client(PATIENT) as client:
            return await BatchRun(client, going.folder, on_progress=view.show, on_item=on_item).follow(batch_id)


def _cancel(going: Going) -> None:
    with going.server.client() as client:
        client.cancel_batch(_batch_id(going.folder))
    print_note(f"{going.folder.batch_id} is being stopped. What has come may be fetched with --resume.")


def _tell_interrupt(going: Going) -> None:
    folder = going.folder
    if going.cancel_on_interrupt:
        _cancel(going)
        return
    print_note(
        f"Interrupted; {len(folder.done):,} pages are here. The fleet goes on with the batch.\n"
        f"  go on:    fleet batch --resume {folder.path}\n"
        f"  stop it:  fleet batch --cancel {folder.path}"
    )


def _tell_end(going: Going, ended: Batch) -> None:
    folder = going.folder
    if going.json:
        print_json({"batch": ended.to_json()})
    took = ((ended.finished_at or ended.created_at) - ended.created_at).total_seconds()
    why = "" if ended.end_reason in (None, "completed") else f" It was ended early: {ended.end_reason}."
    print_note(
        f"{ended.counts.succeeded:,} of {ended.counts.total:,} pages captured in {in_time(took)}, "
        f"{folder.failures:,} failed.{why} They are in {folder.path}."
    )
    for code, count in sorted(ended.errors.items(), key=lambda one: -one[1]):
        print_note(f"  {count:>6,} {code}")
