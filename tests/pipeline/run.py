"""One run: idle captures, the batch with its faults, what came of it."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fleet_client import Batch, FleetClient
from tests.chaos.faults import FAULTS, Fault, Scene
from tests.chaos.fleet import Fleet
from tests.pipeline import findings
from tests.pipeline.singles import Singles
from tests.pipeline.sites import Sites

_FAULTS = ("worker killed and kept away", "Redis killed", "API killed")
_ROUNDS = 2
_IDLE_CAPTURES = 20
_WARM_UP_CAPTURES = 5
_LOOK_SECONDS = 0.5
# No progress at all for so long: it has got stuck.
_PATIENCE_SECONDS = 180.0


@dataclass
class Report:
    """`findings` is empty if all promises were kept. Times in seconds."""

    items: int
    faults: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)


class Pipeline:
    def __init__(self, fleet: Fleet, sites: Sites, client: FleetClient, *, archive: Path, seed: int) -> None:
        self._fleet = fleet
        self._sites = sites
        self._client = client
        self._archive = archive
        self._scene = Scene(fleet, random.Random(seed))

    def run(self, count: int) -> Report:
        report = Report(count)
        urls = self._sites.urls(count)
        idle = self._idle_captures()
        began = time.monotonic()
        batch = self._client.create_batch(urls, capture={"outputs": findings.OUTPUTS}, concurrency=100)
        with Singles(self._client, self._sites.sound_url()) as beside:
            batch = self._break_until_ended(batch, report)
        report.figures["items per second"] = round(count / (time.monotonic() - began), 2)
        self._compare(idle, beside, report)
        self._check(batch, urls, [idle, beside], report)
        return report

    def _idle_captures(self) -> Singles:
        Singles(self._client, self._sites.sound_url()).take(_WARM_UP_CAPTURES)
        idle = Singles(self._client, self._sites.sound_url())
        idle.take(_IDLE_CAPTURES)
        return idle

    def _break_until_ended(self, batch: Batch, report: Report) -> Batch:
        """Its end. Raises TimeoutError."""
        faults = _due_faults(report.items)
        share, fault = next(faults)
        deadline, done = time.monotonic() + _PATIENCE_SECONDS, 0
        while not batch.has_ended:
            time.sleep(_LOOK_SECONDS)
            batch = self._client.batch(batch.id)
            if (ended := batch.counts.succeeded + batch.counts.failed) != done:
                deadline, done = time.monotonic() + _PATIENCE_SECONDS, ended
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing has ended for {_PATIENCE_SECONDS} s: {batch.counts}")
            if done >= share:
                report.faults.append(f"{fault.name}: {fault.do(self._scene)}")
                print(f"{done} of {report.items} items; {report.faults[-1]}", flush=True)
                share, fault = next(faults)
        return batch

    def _compare(self, idle: Singles, beside: Singles, report: Report) -> None:
        report.findings += [f"a single capture: {failure}" for failure in (*idle.failures, *beside.failures)]
        report.figures |= {
            "single captures, idle": len(idle.seconds),
            "their median": round(idle.median, 3),
            "single captures beside the batch": len(beside.seconds),
            "their median beside": round(beside.median, 3),
            "ratio": round(beside.median / idle.median, 2),
            "longest": round(max(beside.seconds), 1),
        }

    def _check(self, batch: Batch, urls: list[str], singles: list[Singles], report: Report) -> None:
        items = list(self._client.batch_items(batch.id))
        self._client.download_archive(batch.id, self._archive)
        report.findings += findings.of_outcomes(batch, items, urls, self._sites)
        report.findings += findings.of_artifacts(items)
        report.findings += findings.of_archive(self._archive, items)
        told = [artifact for item in items for artifact in item.artifacts]
        told += [artifact for taken in singles for job in taken.jobs for artifact in job.artifacts]
        missing, untold = findings.of_store(self._fleet.store.scan_iter("fleet:artifact:*", count=1000), told)
        report.findings += missing
        report.figures |= {
            "items that succeeded": batch.counts.succeeded,
            "items that failed": batch.counts.failed,
            "items begun more than once": sum(item.tries > 1 for item in items if item.state == "succeeded"),
            "artifacts": len(told),
            "artifacts that nobody is told of": untold,
            "archive MB": round(self._archive.stat().st_size / 1e6, 1),
        }


def _due_faults(items: int) -> Iterator[tuple[float, Fault]]:
    """Each with the number of ended items at which it is due; the last one is never due."""
    by_name = {fault.name: fault for fault in FAULTS}
    names = _FAULTS * _ROUNDS
    for number, name in enumerate(names, 1):
        yield items * number / (len(names) + 1), by_name[name]
    yield float("inf"), FAULTS[0]
