"""`make pipeline` (ITEMS=N, WORKERS=N, SEED=N): exits with 1 if an item, an artifact or a single capture went wrong.

There is one worker for two cores, as in containers, unless WORKERS says otherwise.

A batch over 20 sites, one of which refuses all connections, is worked off while a worker, Redis and the API are killed,
each twice. Its outcomes, artifacts and archive are checked, and the median of single captures beside it is compared
with that of the idle fleet before it.
"""

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from fleet_client import FleetClient, Retries
from tests.chaos.fleet import Fleet
from tests.chaos.working_folder import working_folder
from tests.pipeline.run import Pipeline, Report
from tests.pipeline.sites import Sites

_SITES = 20
_FAILING = 1
_CONCURRENCY = 4
_SETTINGS = {"FLEET_EGRESS_ALLOW": "127.0.1.0/24"}


def main() -> int:
    output = Path(os.environ.get("OUTPUT", "pipeline-output"))
    with working_folder("pipeline", output) as folder:
        report = _run(folder, output / "archive.zip")
    (output / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n")
    print(_text(report), flush=True)
    return 1 if report.findings else 0


def _run(folder: Path, archive: Path) -> Report:
    items = int(os.environ.get("ITEMS", "2000"))
    workers = int(os.environ.get("WORKERS", "0")) or max(1, (os.cpu_count() or 1) // 2)
    with ExitStack() as running:
        sites = running.enter_context(Sites(_SITES, _FAILING))
        fleet = Fleet(folder, workers=workers, concurrency=_CONCURRENCY, settings=_SETTINGS, own_disk=False)
        running.enter_context(fleet)
        client = running.enter_context(FleetClient(fleet.url, retries=Retries(times=40, seconds=180)))
        seed = int(os.environ.get("SEED", "1"))
        return Pipeline(fleet, sites, client, archive=archive, seed=seed).run(items)


def _text(report: Report) -> str:
    figures = [f"{name}: {value}" for name, value in report.figures.items()]
    return "\n".join([*figures, *(report.findings or ["all promises were kept"])])


if __name__ == "__main__":
    sys.exit(main())
