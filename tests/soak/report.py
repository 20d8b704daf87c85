"""The table and the plot of a run."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from tests.soak.samples import Sample
from tests.soak.slopes import Slope

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend without a screen

_HEAD = "| series | median | highest | per 1,000 captures | growth after warm-up | flat |\n|---|---|---|---|---|---|"


def text(slopes: Sequence[Slope], outcomes: Counter[str], *, seconds: float) -> str:
    rows = [_row(slope) for slope in slopes]
    counts = [f"| {outcome} | {count} |" for outcome, count in sorted(outcomes.items())]
    done = sum(outcomes.values())
    return "\n".join(
        [
            f"# Soak: {done} captures in {seconds:.0f} s\n",
            *(_HEAD, *rows, "", "| outcome | captures |", "|---|---|", *counts, ""),
        ]
    )


def _row(slope: Slope) -> str:
    figures = f"{slope.median:.1f} | {slope.highest:.1f} | {slope.per_thousand:+.2f} | {slope.growth:+.2f}"
    return f"| {slope.series} | {figures} | {'yes' if slope.is_flat else '**no**'} |"


def plot(samples: Sequence[Sample], path: Path) -> None:
    measures = ("memory MB", "processes", "descriptors", "temp MB")
    figure, all_axes = plt.subplots(len(measures), 1, figsize=(9, 12), sharex=True)
    for measure, axes in zip(measures, all_axes, strict=True):
        for series in sorted({name for sample in samples for name in sample.values if name.startswith(measure)}):
            values = [sample.values.get(series, 0.0) for sample in samples]
            axes.plot([sample.done for sample in samples], values, label=series.partition(": ")[2], linewidth=1)
        axes.set_ylabel(measure)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="x-small", ncols=4)
    all_axes[-1].set_xlabel("captures")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
