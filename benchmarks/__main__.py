"""`make bench`: a plain Playwright script against the fleet over HTTP, same pages, same Chrome, taken in turn."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.contenders import Capture, fleet, plain_playwright
from benchmarks.cpu import cpu_of_fleet, cpu_of_script
from benchmarks.measurement import Measurement, measure
from benchmarks.pages import serve_pages
from benchmarks.report import Cell, plot, table
from fleet.settings import settings
from launcher.fleet import Fleet, FleetOptions, caller_settings, free_port

_CONCURRENCIES = (1, 4, 8)
_ROUNDS = int(os.environ.get("ROUNDS", "3"))
_SECONDS = float(os.environ.get("SECONDS_PER_CELL", "5"))
_OUTPUT = Path("bench-output")

Contenders = Mapping[str, tuple[Capture, Callable[[], float]]]


def main() -> None:
    _OUTPUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder, Fleet(_options(Path(folder))) as running:
        cells = asyncio.run(_measure_all(running))
    (_OUTPUT / "bench.md").write_text(table(cells) + "\n")
    plot(cells, _OUTPUT / "bench.png")
    print(f"\n{table(cells)}\n\nTable and plot: {_OUTPUT}/bench.md, {_OUTPUT}/bench.png")


def _options(folder: Path) -> FleetOptions:
    return FleetOptions(
        data=folder,
        bind=f"127.0.0.1:{free_port()}",
        workers=1,
        concurrency=max(_CONCURRENCIES),
        flower=False,
        logs=folder / "logs",
        environment={"FLEET_EGRESS_ALLOW": "127.0.0.1", **caller_settings()},
    )


async def _measure_all(running: Fleet) -> list[Cell]:
    chrome = settings().chrome_executable()
    with serve_pages() as pages:
        async with plain_playwright(chrome) as plain, fleet(running.url) as over_http:
            contenders = {
                "plain": (plain, partial(cpu_of_script, running.pids)),
                "fleet": (over_http, partial(cpu_of_fleet, running.pids)),
            }
            for url in pages.values():
                for capture, cpu in contenders.values():
                    await measure(capture, cpu, url, concurrency=2, seconds=1)
            return [
                await _measure_cell(contenders, page, url, concurrency)
                for page, url in pages.items()
                for concurrency in _CONCURRENCIES
            ]


async def _measure_cell(contenders: Contenders, page: str, url: str, concurrency: int) -> Cell:
    rounds: dict[str, list[Measurement]] = {name: [] for name in contenders}
    for _ in range(_ROUNDS):
        for name, (capture, cpu) in contenders.items():
            rounds[name].append(await measure(capture, cpu, url, concurrency=concurrency, seconds=_SECONDS))
    cell = Cell(page, concurrency, **rounds)
    print(table([cell]).splitlines()[-1], flush=True)
    return cell


if __name__ == "__main__":
    main()
