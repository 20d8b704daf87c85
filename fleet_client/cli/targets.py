"""Which pages a command captures, and where each file goes."""

import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from fleet_client.cli.file_names import Names, stem

STANDARD = "-"
_STDIN_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class Target:
    """`path` None: standard output."""

    url: str | None
    path: Path | None


def urls_of(arguments: list[str]) -> list[str]:
    """Those given, with the lines of standard input in the place of `-`. Lines that begin with # are remarks."""
    urls = []
    for argument in arguments:
        urls += _stdin_lines() if argument == STANDARD else [argument]
    if not urls:
        raise typer.BadParameter("Standard input has no URL.", param_hint="URL")
    return urls


def targets(urls: list[str], output: str | None, extension: str) -> list[Target]:
    """One URL goes into the file `output`, several go into the folder. None: the current folder."""
    if output == STANDARD:
        if len(urls) > 1:
            raise typer.BadParameter("Standard output takes one file; name a folder for several.", param_hint="-o")
        return [Target(urls[0], None)]
    if output is not None and len(urls) == 1 and not _is_folder(output):
        return [Target(urls[0], Path(output))]
    folder, names = Path(output or "."), Names()
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"'{output}' is a file; name a folder for several pages.", param_hint="-o")
    return [Target(url, folder / names.new(stem(url), extension)) for url in urls]


def suffix(output: str | None) -> str:
    """Of the file that `output` names, in lower case and without its dot; empty: there is none."""
    if output is None or output == STANDARD or _is_folder(output):
        return ""
    return Path(output).suffix.lower().removeprefix(".")


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir()


def _stdin_lines() -> list[str]:
    text = sys.stdin.read(_STDIN_BYTES_MAX + 1)
    if len(text) > _STDIN_BYTES_MAX:
        raise typer.BadParameter("Standard input is too long; `fleet batch` takes long lists.", param_hint="-")
    lines = [line.strip().removeprefix("\ufeff") for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
