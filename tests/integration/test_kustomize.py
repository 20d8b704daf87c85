import shutil
import subprocess

import pytest
import yaml

from tests.kubernetes import FOLDER, kustomization, objects


@pytest.mark.parametrize("part", ["base", "trial"])
def test_kustomize_gives_the_cluster_what_the_files_say(part: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run(["kubectl", "kustomize", FOLDER / part], capture_output=True, check=True, text=True)
    files = {name for one in {part, "base"} for name in kustomization(one)["resources"] if name.endswith(".yaml")}
    written = [
        one for path in FOLDER.rglob("*.yaml") if path.name in files for one in yaml.safe_load_all(path.read_text())
    ]
    assert len(written) == (len(objects()) if part == "trial" else len(written))
    assert sorted(yaml.safe_load_all(built.stdout), key=str) == sorted(written, key=str)
