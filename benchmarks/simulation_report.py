"""The table and the plot of a simulation: each operation against the size of the fleet."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl

from benchmarks.fleet_operations import Measured

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of a backend without a screen

_FIGURES: dict[str, Callable[[Measured], float]] = {
    "Redis commands": lambda one: one.cost.commands,
    "Redis µs": lambda one: one.cost.redis_us,
    "bytes in and out": lambda one: one.cost.bytes_in + one.cost.bytes_out,
    "messages heard": lambda one: one.heard,
    "CPU ms": lambda one: one.cost.cpu_ms,
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
    figure, all_axes = plt.subplots(len(_FIGURES), 1, figsize=(9, 15), sharex=True)
    for (name, value), axes in zip(_FIGURES.items(), all_axes, strict=True):
        for operation in dict.fromkeys(one.operation for one in measured):
            points = [(one.workers, value(one)) for one in measured if one.operation == operation]
            axes.plot([workers for workers, _ in points], [y for _, y in points], marker="o", label=operation)
        axes.set_ylabel(f"{name} per operation")
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
    all_axes[0].legend(fontsize="x-small", ncols=2)
    all_axes[-1].set_xlabel("workers")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
