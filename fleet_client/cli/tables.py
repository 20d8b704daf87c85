"""How lists are shown: a table for people, or a line of JSON for each entry."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from rich.console import Console
from rich.table import Table as RichTable

from fleet_client.cli.printing import in_time, print_json, print_note
from fleet_client.models import Record

Entry = TypeVar("Entry", bound=Record)

_WIDTH_MAX = 1000


@dataclass(frozen=True)
class Table(Generic[Entry]):
    """`row`: as many texts as there are titles. `empty`: what is said instead of no rows."""

    titles: tuple[str, ...]
    row: Callable[[Entry], tuple[str, ...]]
    empty: str

    def show(self, entries: Iterable[Entry], *, json: bool) -> None:
        if json:
            for entry in entries:
                print_json(entry.to_json())
            return
        rows = [self.row(entry) for entry in entries]
        if rows:
            self._print(rows)
        else:
            print_note(self.empty)

    def _print(self, rows: list[tuple[str, ...]]) -> None:
        """As wide as a terminal, at the cost of the last column; what a program reads is not cut."""
        width = None if sys.stdout.isatty() else _WIDTH_MAX
        console = Console(width=width, highlight=False, markup=False, emoji=False)
        table = RichTable(box=None, pad_edge=False, header_style="bold")
        for place, title in enumerate(self.titles):
            widest = max(len(row[place]) for row in rows)
            table.add_column(title, no_wrap=True, min_width=None if title == self.titles[-1] else widest)
        for row in rows:
            table.add_row(*row)
        console.print(table)


def age(moment: datetime) -> str:
    return in_time((datetime.now(UTC) - moment).total_seconds())
