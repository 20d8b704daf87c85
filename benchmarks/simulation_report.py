"""The table and the plot of a simulation: each operation against the size of the fleet."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl

from benchmarks.fleet_operations import Measured

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend without a screen

# Ten colours, then the same once more, dashed.
_STYLES = [f"{line}C{color}" for line in ("-", "--") for color in range(10)]
# Times are of this machine on this day.
_PLOTTED = ("Redis commands", "bytes in and out", "messages heard")

_FIGURES: dict[str, Callable[[Measured], float]] = {
    "Redis commands": lambda one: one.cost.commands,
    "Redis µs": lambda one: one.cost.redis_us,
    "bytes in and out": lambda one: one.cost.bytes_in + one.cost.bytes_out,
    "messages heard": lambda one: one.heard,
}


def table(measured: Sequence[Measured]) -> str:
    sizes = sorted({one.workers for one in measured})
    lines = [
        "| operation | figure | " + " | ".join(f"{size} workers" for size in sizes) + " |",
        "|---|---|" + "---|" * len(sizes),
    ]
    for operation in dict.fromkeys(one.operation for one in measured):
        for name, figure in _FIGURES.items():
            values = [figure(one) for one in measured if one.operation == operation]
            lines.append(f"| {operation} | {name} | " + " | ".join(f"{value:,.1f}" for value in values) + " |")
    return "\n".join(lines)


def plot(measured: Sequence[Measured], path: Path) -> None:
    figure, all_axes = plt.subplots(len(_PLOTTED), 1, figsize=(9, 13), sharex=True)
    operations = dict.fromkeys(one.operation for one in measured)
    for name, axes in zip(_PLOTTED, all_axes, strict=True):
        for operation, style in zip(operations, _STYLES, strict=False):
            points = [(one.workers, _FIGURES[name](one)) for one in measured if one.operation == operation]
            axes.plot([workers for workers, _ in points], [y for _, y in points], style, marker="o", label=operation)
        axes.set_ylabel(f"{name} per operation")
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
    all_axes[-1].set_xlabel("workers")
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="lower center", ncols=3, fontsize="small")
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, dpi=90)
    plt.close(figure)
