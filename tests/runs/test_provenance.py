"""What counts as a difference of the code that a run was made with, and the packages that it names."""

import importlib.util
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from depression_vr.runs import provenance

RESULTS = ("experiments/results.csv", "experiments/README.md")


def git(folder: Path, *arguments: str) -> None:
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)


def code_state(module: Path) -> provenance.CodeState:
    """As the code at this place sees it."""
    spec = importlib.util.spec_from_file_location("provenance_elsewhere", module)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.code_state()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("project", [".", "tools/project"], ids=["own", "within another"])
def test_measured_results_are_no_difference_of_the_code(tmp_path: Path, project: str) -> None:
    root = tmp_path / project
    module = root / "src" / "depression_vr" / "runs" / "provenance.py"
    for file in (module, *(root / name for name in RESULTS)):
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(provenance.__file__, file)
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "all")
    for name in RESULTS:
        (root / name).write_text("measured")
    clean = code_state(module)
    assert clean.commit is not None
    assert clean.diff == ""
    module.write_text(module.read_text() + "# changed")
    (root / "new.py").touch()
    changed = code_state(module).diff
    assert "+# changed" in changed
    assert "measured" not in changed
    assert changed.endswith(f"untracked: {Path(project, 'new.py').as_posix()}\n")


def test_the_packages_are_those_that_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "torch-9.9.9.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9.9\n")
    (tmp_path / "broken_off-1.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert provenance.packages()["torch"] == metadata.version("torch") != "9.9.9"
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert provenance.packages()["torch"] == "9.9.9"
