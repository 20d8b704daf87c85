"""`make simulate` (WORKERS=1,10,100 SESSIONS=10): what each operation costs in fleets of different sizes.

Many workers without Chrome in one process, over a real Redis of their own. 1,000 workers want `ulimit -n 20000`.
"""

import os
import resource
import tempfile
from pathlib import Path

from benchmarks.fleet_operations import Measured, measure_all
from benchmarks.fleet_without_chrome import SimulatedFleet
from benchmarks.simulation_report import plot, table
from fleet.logs import configure_logs
from tests.integration.redis_server import RedisServer

_OUTPUT = Path("simulation-output")
_CONNECTIONS_MAX = "20000"


def main() -> None:
    configure_logs("WARNING", "console", part="simulation")
    _OUTPUT.mkdir(exist_ok=True)
    _allow_many_files()
    sizes = [int(size) for size in os.environ.get("WORKERS", "1,10,100").split(",")]
    sessions = int(os.environ.get("SESSIONS", "10"))
    measured = [one for size in sizes for one in _measure_fleet(size, sessions)]
    (_OUTPUT / "simulation.md").write_text(table(measured) + "\n")
    plot(measured, _OUTPUT / "simulation.png")
    print(f"\n{table(measured)}\n\nTable and plot: {_OUTPUT}/simulation.md, {_OUTPUT}/simulation.png")


def _measure_fleet(workers: int, sessions: int) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="fleet-simulation-") as folder:
        redis = RedisServer(Path(folder), "--maxclients", _CONNECTIONS_MAX, "--appendfsync", "no")
        redis.start()
        try:
            with SimulatedFleet(redis.url, Path(folder) / "artifacts", workers=workers, sessions=sessions) as fleet:
                print(f"{workers} workers, {workers * sessions} sessions", flush=True)
                return measure_all(fleet)
        finally:
            redis.stop()


def _allow_many_files() -> None:
    """Each worker has a handful of connections, here and in Redis, which inherits the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
