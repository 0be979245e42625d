"""Checkpoints that are cut off, altered or of another network: what is used instead, and what is said."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from breaking import SMALL, at_step, result, undisturbed
from conftest import RunCommand
from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run


@pytest.fixture
def interrupted(command: RunCommand, csv_corpus: Path) -> Run:
    """A run that was stopped in its third step, and has two checkpoints to go on from."""
    with at_step(3, lambda: signal.raise_signal(signal.SIGINT)):
        outcome = command("train", *SMALL, f"data.table={csv_corpus}")
    assert outcome.code == 130, outcome.err
    run = Run(Path("run").absolute())
    assert [path.name for path in resume_files(run.checkpoints)] == [
        "resume-000000003.ckpt",
        "resume-000000002.ckpt",
    ]
    return run


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_off, altered])
def test_the_checkpoint_before_a_damaged_one_is_used(
    command: RunCommand, csv_corpus: Path, interrupted: Run, damage: Callable[[Path], None]
) -> None:
    newest, before = resume_files(interrupted.checkpoints)
    damage(newest)
    outcome = command("train", "resume=run")
    assert outcome.code == 0, outcome.err
    assert f"warning: {newest} is damaged; {before.name} before it is used" in outcome.err
    assert f"going on from {before.name}" in outcome.err
    assert result(interrupted) == undisturbed(command, csv_corpus)


def test_where_all_are_damaged_they_are_named_and_the_run_can_begin_anew(
    command: RunCommand, csv_corpus: Path, interrupted: Run
) -> None:
    files = resume_files(interrupted.checkpoints)
    for file in files:
        cut_off(file)
    outcome = command("train", "resume=run")
    assert outcome.code == 2
    assert all(f"{file}: is cut off or altered" in outcome.err for file in files)
    assert "remove them, and the run begins anew" in outcome.err
    assert "Traceback" not in outcome.err
    assert interrupted.record()["status"] == "failed"
    assert resume_files(interrupted.checkpoints) == files
    for file in files:
        file.unlink()
    assert command("train", "resume=run").code == 0
    assert result(interrupted) == undisturbed(command, csv_corpus)


def test_a_run_does_not_go_on_from_a_checkpoint_of_another_network(
    command: RunCommand, csv_corpus: Path, interrupted: Run
) -> None:
    other = ("model.base_planes=4", "hydra.run.dir=other")
    with at_step(1, lambda: signal.raise_signal(signal.SIGINT)):
        command("train", *SMALL, f"data.table={csv_corpus}", *other)
    (theirs,) = resume_files(Run(Path("other")).checkpoints)
    own = interrupted.checkpoints / "resume-000000003.ckpt"
    kept = shutil.move(own, "kept")
    shutil.copy(theirs, own)
    before = interrupted.curves_file.read_bytes()
    outcome = command("train", "resume=run")
    assert outcome.code == 2
    assert "does not fit the network" in outcome.err
    assert "network.stages.0.0.reduce.conv.weight: has the shape (4," in outcome.err
    assert "Traceback" not in outcome.err
    assert interrupted.record()["status"] == "failed"
    assert interrupted.curves_file.read_bytes() == before
    assert own.read_bytes() == theirs.read_bytes()
    shutil.move(kept, own)
    assert command("train", "resume=run").code == 0
    assert result(interrupted) == undisturbed(command, csv_corpus)


@pytest.mark.parametrize("damage", [cut_off, altered])
def test_a_damaged_checkpoint_is_not_evaluated(
    command: RunCommand, interrupted: Run, damage: Callable[[Path], None]
) -> None:
    damage(interrupted.best_checkpoint)
    outcome = command("evaluate", "run=run", "hydra.run.dir=again")
    assert outcome.code == 2
    assert "damaged" in outcome.err
    assert "run/checkpoints/best.ckpt" in outcome.err
    assert "Traceback" not in outcome.err
    assert Run(Path("again")).record()["status"] == "failed"
    assert not Run(Path("again")).metrics_file.exists()


def test_a_checkpoint_of_another_network_is_not_evaluated(command: RunCommand, csv_corpus: Path) -> None:
    torch.save(StaDrn(base_planes=4, layers=(1, 1, 1, 1)).state_dict(), "other.pth")
    network = ("model.base_planes=2", "model.layers=[1,1,1,1]", "data=csv", f"data.table={csv_corpus}")
    outcome = command("evaluate", "ckpt=other.pth", *network, "hydra.run.dir=out")
    assert outcome.code == 2
    assert "network.stages.0.0.reduce.conv.weight: has the shape (4," in outcome.err
    assert Run(Path("out")).record()["status"] == "failed"
