import json
from pathlib import Path

from tests.system.processes import Launched, wait_for_exit


def test_the_demo_leaves_a_png_a_pdf_and_no_process(tmp_path: Path) -> None:
    demo = Launched(["make", "demo"], {"DATA": str(tmp_path)}, log=tmp_path / "demo.log")
    try:
        assert wait_for_exit(demo, 120) == 0, demo.output()
        left = demo.living()
    finally:
        demo.kill_all()
    assert left == {}
    assert (tmp_path / "demo/page.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "demo/page.pdf").read_bytes().startswith(b"%PDF")


def test_the_demo_shows_the_manifest_and_where_the_files_are(tmp_path: Path) -> None:
    demo = Launched(["make", "demo"], {"DATA": str(tmp_path)}, log=tmp_path / "demo.log")
    try:
        wait_for_exit(demo, 120)
    finally:
        demo.kill_all()
    output = demo.output()
    manifest, _ = json.JSONDecoder().raw_decode(output[output.index("\n{") + 1 :])
    assert [artifact["kind"] for artifact in manifest["artifacts"]] == ["screenshot", "pdf"]
    assert str(tmp_path / "demo/page.png") in output
    assert str(tmp_path / "demo/page.pdf") in output
