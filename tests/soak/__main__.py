"""`make soak` (CAPTURES=N, SEED=N): exits with 1 if something grows, or a sound page failed."""

import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from tests.chaos.fleet import Fleet
from tests.chaos.working_folder import working_folder
from tests.pages.server import PagesServer
from tests.soak.report import plot, text
from tests.soak.samples import Sample, take
from tests.soak.slopes import slopes
from tests.soak.work import Work

_SAMPLE_SECONDS = 2.0
_CLIENTS = 4
_REST_EVERY = 50
# After the last capture has ended: what it used is given back.
_CALM_SECONDS = 2.0
# What is kept for its time is no growth: it comes to its end within the run.
_SETTINGS = {
    "FLEET_JOB_TTL": "60",
    "FLEET_ARTIFACT_TTL": "60",
    "FLEET_SESSIONS_PER_WORKER": "10",
    # Four hostile pages at once take half a gigabyte each before they are ended; in less, their neighbours pay for it.
    "FLEET_MEMORY_LIMIT_MB": "3072",
}


def main() -> int:
    output = Path(os.environ.get("OUTPUT", "soak-output"))
    with (
        working_folder("soak", output) as folder,
        PagesServer() as pages,
        Fleet(folder, workers=1, concurrency=_CLIENTS, settings=_SETTINGS, own_disk=False) as fleet,
    ):
        return _soak(fleet, pages.url, output)


def _soak(fleet: Fleet, pages: str, output: Path) -> int:
    captures, seed = int(os.environ.get("CAPTURES", "2000")), int(os.environ.get("SEED", "1"))
    work = Work(fleet.url, pages, seed=seed, captures=captures, clients=_CLIENTS, rest_every=_REST_EVERY)
    started = time.monotonic()
    work.start()
    samples: list[Sample] = []
    while work.goes_on:
        if work.rests:
            samples.append(_calm(fleet, work))
            work.go_on()
        samples.append(take(fleet, work.done))
        time.sleep(_SAMPLE_SECONDS)
    samples.append(_calm(fleet, work))
    found = slopes(samples)
    told = text(found, work.outcomes, seconds=time.monotonic() - started)
    (output / "soak.md").write_text(told)
    (output / "soak.json").write_text(json.dumps([asdict(sample) for sample in samples]) + "\n")
    plot(samples, output / "soak.png")
    print(f"{told}\nTable, plot and samples: {output}/soak.md, {output}/soak.png, {output}/soak.json")
    missing = captures - work.done
    for unexpected in work.unexpected:
        print(json.dumps(unexpected))
    return 1 if missing or work.unexpected or not all(slope.is_flat for slope in found) else 0


def _calm(fleet: Fleet, work: Work) -> Sample:
    time.sleep(_CALM_SECONDS)
    return replace(take(fleet, work.done), at_rest=True)


if __name__ == "__main__":
    sys.exit(main())
