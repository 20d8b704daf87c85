"""What a run leaves: a table for people, JSON for programs."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.audit import Audit


@dataclass(frozen=True)
class Done:
    """A fault that was done. `began`, `ended`: seconds since the epoch."""

    name: str
    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Run:
    """`answers`: how often clients met which status; `starts`: of each part."""

    seed: int
    faults: list[Done]
    audit: Audit
    answers: dict[str, int]
    starts: dict[str, int]


def write(run: Run, folder: Path) -> None:
    text = _text(run)
    (folder / "ledger.md").write_text(text)
    (folder / "ledger.json").write_text(json.dumps(asdict(run), indent=2) + "\n")
    print(f"\n{text}\nLedger and logs: {folder}/ledger.md, {folder}/ledger.json, {folder}/logs", flush=True)


def _text(run: Run) -> str:
    findings = run.audit.findings or ["none: all promises were kept"]
    return "\n".join(
        [
            f"# Chaos, seed {run.seed}\n",
            _table("fault", "times", Counter(fault.name for fault in run.faults)),
            _table("outcome of jobs", "times", run.audit.outcomes),
            _table("answers to clients", "times", run.answers),
            _table("part", "starts", run.starts),
            _table("figure", "value", run.audit.figures),
            "## Findings\n",
            *(f"- {finding}" for finding in findings),
            "",
        ]
    )


def _table(left: str, right: str, rows: Mapping[str, float]) -> str:
    lines = [f"| {name} | {value} |" for name, value in sorted(rows.items())]
    return "\n".join([f"| {left} | {right} |", "|---|---|", *lines, ""])
