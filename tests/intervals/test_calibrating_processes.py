"""Calibrating in several processes, and going on with a training that was killed before it had calibrated."""

import json
from pathlib import Path

import pytest

from conftest import RunCommand
from depression_vr.building import TARGETS_VARIABLE
from depression_vr.runs.run import Run
from killing import KILLED, KillPoint, trained
from side_by_side import COLOURS, run_command, write_corpus

pytestmark = pytest.mark.slow

FRAMES = {"training": [8, 9], "development": [8, 20, 9, 30, 8, 8, 16, 24, 8, 12], "test": [9, 16]}
BEFORE_WRITING = KillPoint("depression_vr.assembly:write_calibration", 1)
SHORT = ("trainer.max_epochs=1", "logger=none", "callbacks.throughput=null")


def test_two_processes_calibrate_as_one(
    tmp_path: Path, command: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TARGETS_VARIABLE, "side_by_side.*")
    table = write_corpus(tmp_path / "corpus", FRAMES)
    codes = run_command(tmp_path, 2, "train", f"data.table={table}", *COLOURS, *SHORT)
    assert codes == [0, 0], (tmp_path / "rank0.out").read_text()
    file = Run(tmp_path / "run").calibration_file
    together = json.loads(file.read_text())
    assert len(together["residuals"]) == 10
    file.unlink()
    outcome = command("calibrate", "run=run", "trainer=cpu")
    assert outcome.code == 0, outcome.err
    assert json.loads(file.read_text()) == together


def test_a_training_that_was_killed_before_it_had_calibrated_goes_on(tmp_path: Path) -> None:
    table = write_corpus(tmp_path / "corpus", FRAMES)
    small = ("model.base_planes=2", "model.layers=[1,1,1,1]", "data.size=16", "data.clip_length=8")
    settings = ("data=csv", f"data.table={table}", "data.num_workers=0", *small, "trainer=cpu", *SHORT)
    assert trained(tmp_path, [*settings, "hydra.run.dir=undisturbed"]) == 0, (
        tmp_path / "train.out"
    ).read_text()
    assert trained(tmp_path, [*settings, "hydra.run.dir=run"], BEFORE_WRITING) == KILLED
    run, undisturbed = Run(tmp_path / "run"), Run(tmp_path / "undisturbed")
    assert not run.calibration_file.exists()
    assert trained(tmp_path, ["resume=run"]) == 0, (tmp_path / "train.out").read_text()
    for file in ("calibration_file", "metrics_file", "predictions_file"):
        assert getattr(run, file).read_bytes() == getattr(undisturbed, file).read_bytes()
