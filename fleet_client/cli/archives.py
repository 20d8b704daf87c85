"""`fleet archive`"""

from pathlib import Path
from typing import Annotated

import typer

from fleet_client.calls import ArchiveFormat
from fleet_client.cli.options import Server, command
from fleet_client.cli.printing import in_bytes, writing

_FORMATS: dict[str, ArchiveFormat] = {".zip": "zip", ".warc.gz": "warc"}


@command
def archive(
    *,
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="Its id, bat_…")],
    server: Server,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="Default: BATCH.zip in this folder."),
    ] = None,
) -> None:
    """Fetch all of a batch as one file. Its name says what: .zip, or .warc.gz for replay tools.

    A ZIP has the files, `manifest.jsonl` and a gallery, `index.html`. Of a batch that has not ended: what there is.

    Examples:

    * `fleet archive $BATCH -o pages.zip`
    * `fleet archive $BATCH -o pages.warc.gz`
    """
    path = output or Path(f"{batch}.zip")
    with server.client() as client, writing(path):
        client.download_archive(batch, path, format=_format(path))
    typer.echo(f"{path}  ({in_bytes(path.stat().st_size)})")


def _format(path: Path) -> ArchiveFormat:
    for ending, found in _FORMATS.items():
        if path.name.lower().endswith(ending):
            return found
    raise typer.BadParameter(f"Archives end in {' or '.join(_FORMATS)}.", param_hint="-o")
