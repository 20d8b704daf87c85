"""The table and the plot of a run."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

from benchmarks.measurement import Measurement

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend without a screen


@dataclass(frozen=True)
class Cell:
    """The rounds of one page at one concurrency: plain script and fleet, taken in turn."""

    page: str
    concurrency: int
    plain: list[Measurement]
    fleet: list[Measurement]

    @property
    def ratios(self) -> list[float]:
        """Captures per second, fleet by plain script, round by round."""
        return [fleet.per_second / plain.per_second for plain, fleet in zip(self.plain, self.fleet, strict=True)]


_COLUMNS = (
    "page",
    "at once",
    "plain /s",
    "fleet /s",
    "fleet ÷ plain (median, min-max)",
    "plain p50 ms",
    "fleet p50 ms",
    "fleet p95 ms",
    "plain CPU ms",
    "fleet CPU ms",
)
_HEAD = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"


def table(cells: list[Cell]) -> str:
    return "\n".join([_HEAD, *(_row(cell) for cell in cells)])


def _row(cell: Cell) -> str:
    plain, fleet, ratios = cell.plain, cell.fleet, cell.ratios
    columns = [
        cell.page,
        str(cell.concurrency),
        f"{_median(plain, 'per_second'):.2f}",
        f"{_median(fleet, 'per_second'):.2f}",
        f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f})",
        f"{_median(plain, 'p50'):.0f}",
        f"{_median(fleet, 'p50'):.0f}",
        f"{_median(fleet, 'p95'):.0f}",
        f"{_median(plain, 'cpu'):.0f}",
        f"{_median(fleet, 'cpu'):.0f}",
    ]
    return f"| {' | '.join(columns)} |"


def _median(rounds: list[Measurement], figure: str) -> float:
    return float(statistics.median(getattr(measurement, figure) for measurement in rounds))


def plot(cells: list[Cell], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    labels = [f"{cell.page}\n{cell.concurrency} at once" for cell in cells]
    places = range(len(cells))
    for offset, name, color in ((-0.2, "plain", "#9aa5b1"), (0.2, "fleet", "#2563eb")):
        heights = [_median(getattr(cell, name), "per_second") for cell in cells]
        axes.bar([place + offset for place in places], heights, width=0.38, label=name, color=color)
    for place, cell in zip(places, cells, strict=True):
        highest = max(_median(cell.plain, "per_second"), _median(cell.fleet, "per_second"))
        axes.annotate(f"x {statistics.median(cell.ratios):.2f}", (place, highest), ha="center", va="bottom")
    axes.set_xticks(list(places), labels)
    axes.set_ylabel("captures per second")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
