"""The programs of `make chaos`, `make pipeline` and `make soak`, in short runs. They, too, speak HTTP only."""

import json
from pathlib import Path

from tests.system.processes import Launched, python, wait_for_exit

# Those that are over at once; `make chaos` does them all.
_QUICK = (
    "pool child killed",
    "browser host killed",
    "Chrome killed",
    "Playwright's driver killed",
    "renderer killed",
    "worker killed",
    "API killed",
    "Redis killed",
)


def test_what_was_promised_holds_after_every_part_was_killed_under_load(tmp_path: Path) -> None:
    settings = {
        "SEED": "20",
        "FAULTS": str(len(_QUICK)),
        "ONLY": ",".join(_QUICK),
        "WORKERS": "2",
        "SESSIONS": "3",
        "OUTPUT": str(tmp_path / "out"),
    }
    chaos = Launched(python("-m", "tests.chaos"), settings, log=tmp_path / "chaos.log")
    try:
        code = wait_for_exit(chaos, 400)
        left = chaos.living()
    finally:
        chaos.kill_all()
    ledger = json.loads((tmp_path / "out/ledger.json").read_text())
    assert sorted(fault["name"] for fault in ledger["faults"]) == sorted(_QUICK)
    assert (ledger["audit"]["findings"], code, left) == ([], 0, {}), chaos.output()


def test_a_batch_is_whole_after_workers_redis_and_the_api_were_killed(tmp_path: Path) -> None:
    settings = {"ITEMS": "60", "WORKERS": "2", "OUTPUT": str(tmp_path / "out")}
    pipeline = Launched(python("-m", "tests.pipeline"), settings, log=tmp_path / "pipeline.log")
    try:
        code = wait_for_exit(pipeline, 400)
        left = pipeline.living()
    finally:
        pipeline.kill_all()
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert len(report["faults"]) == 6, pipeline.output()
    assert (report["findings"], code, left) == ([], 0, {}), pipeline.output()


def test_the_soak_tells_what_each_kind_of_process_takes(tmp_path: Path) -> None:
    settings = {"CAPTURES": "20", "OUTPUT": str(tmp_path / "out")}
    soak = Launched(python("-m", "tests.soak"), settings, log=tmp_path / "soak.log")
    try:
        wait_for_exit(soak, 200)
        left = soak.living()
    finally:
        soak.kill_all()
    report = (tmp_path / "out/soak.md").read_text()
    assert "# Soak: 20 captures" in report, soak.output()
    assert "| memory MB: chrome |" in report
    assert (tmp_path / "out/soak.png").read_bytes().startswith(b"\x89PNG")
    assert left == {}
