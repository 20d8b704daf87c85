"""The program of `make viewers`, in a short run."""

from pathlib import Path

from tests.system.processes import Launched, python, wait_for_exit


def test_slow_and_vanished_viewers_cost_the_others_nothing(tmp_path: Path) -> None:
    # Who vanishes is noticed after 40 s.
    settings = {"VIEWERS": "10", "SESSIONS": "2", "SECONDS": "50"}
    viewers = Launched(python("-m", "benchmarks.viewers"), settings, log=tmp_path / "viewers.log")
    try:
        code = wait_for_exit(viewers, 300)
        left = viewers.living()
    finally:
        viewers.kill_all()
    assert (code, left) == (0, {}), viewers.output()
