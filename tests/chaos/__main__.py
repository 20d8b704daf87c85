"""`make chaos` (SEED=N, FAULTS=N, WORKERS=N, SESSIONS=N): exits with 1 if a promise was broken."""

import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.audit import Auditor
from tests.chaos.faults import FAULTS, Fault, NothingToHit, Scene, sequence
from tests.chaos.fleet import Fleet
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load, Sites
from tests.chaos.report import Done, Run, write
from tests.chaos.working_folder import working_folder
from tests.pages.server import PagesServer

_PAUSE_SECONDS = (1.0, 6.0)
# Something to lose, before the first fault.
# For a part that is just being replaced.
_PATIENCE_SECONDS = 30.0
_WARM_UP_SECONDS = 10.0
_CONCURRENCY = 2


@dataclass(frozen=True)
class Options:
    seed: int
    faults: int
    workers: int
    sessions: int
    output: Path
    kinds: tuple[Fault, ...] = FAULTS


def main() -> int:
    chosen = os.environ.get("ONLY")
    options = Options(
        seed=int(os.environ.get("SEED", str(random.randrange(1_000_000)))),
        faults=int(os.environ.get("FAULTS", "100")),
        workers=int(os.environ.get("WORKERS", "3")),
        sessions=int(os.environ.get("SESSIONS", "4")),
        output=Path(os.environ.get("OUTPUT", "chaos-output")),
        kinds=tuple(fault for fault in FAULTS if chosen is None or fault.name in chosen.split(",")),
    )
    print(f"seed {options.seed}: {options.faults} faults, {options.workers} workers", flush=True)
    run = run_chaos(options)
    write(run, options.output)
    return 1 if run.audit.findings else 0


def run_chaos(options: Options) -> Run:
    with (
        working_folder("chaos", options.output) as folder,
        PagesServer() as sound,
        PagesServer() as hostile,
        Fleet(folder, workers=options.workers, concurrency=_CONCURRENCY) as fleet,
    ):
        return _break_and_audit(options, fleet, Sites(sound.url, hostile.url))


def _break_and_audit(options: Options, fleet: Fleet, sites: Sites) -> Run:
    ledger = Ledger()
    load = Load(fleet.url, sites, ledger, seed=options.seed, sessions=options.sessions, one_shots=2)
    load.start()
    done = _break(options, fleet)
    load.stop()
    without_redis = [(fault.began, fault.ended) for fault in done if fault.name.startswith("Redis")]
    audit = Auditor(fleet, ledger, pages=sites.sound, without_redis=without_redis).audit()
    return Run(options.seed, done, audit, dict(load.answers.counts), {part.name: part.starts for part in fleet.parts})


def _break(options: Options, fleet: Fleet) -> list[Done]:
    dice = random.Random(options.seed)
    scene = Scene(fleet, dice)
    time.sleep(_WARM_UP_SECONDS)
    done: list[Done] = []
    for fault in sequence(dice, options.kinds):
        if len(done) == options.faults:
            break
        began = time.time()
        what = _do(fault, scene)
        if what is not None:
            done.append(Done(fault.name, what, began, time.time()))
            print(f"{len(done):4} {time.strftime('%X', time.localtime(began))} {fault.name}: {what}", flush=True)
        time.sleep(dice.uniform(*_PAUSE_SECONDS))
    return done


def _do(fault: Fault, scene: Scene) -> str | None:
    """What it hit, as soon as there is something; None: nothing came for too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return fault.do(scene)
        except NothingToHit:
            if time.monotonic() > deadline:
                return None
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
