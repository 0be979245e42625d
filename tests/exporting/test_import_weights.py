"""Weights from elsewhere become a run that all commands take."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
import torch

from conftest import ReleaseState, RunCommand
from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.listing import summary_of
from depression_vr.runs.run import Run

SMALL = ("model=sta_drn", "model.base_planes=2", "model.layers=[1,1]")
CLIPS = ("data.clip_length=4", "data.frame_step=2", "data.size=16")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A bare state dict with the prefix of DataParallel."""
    torch.manual_seed(0)
    state = StaDrn(base_planes=2, layers=(1, 1)).state_dict()
    file = tmp_path / "private" / "best.pth"
    file.parent.mkdir()
    torch.save({f"module.{key}": tensor for key, tensor in state.items()}, file)
    return file


def test_bare_weights_become_a_run(command: RunCommand, weights: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "imported")
    outcome = command("import_weights", *SMALL, *CLIPS, f"ckpt={weights}", f"out={run.folder}")
    assert outcome.code == 0, outcome.err
    record = run.record()
    assert record["status"] == "finished"
    assert record["kind"] == "imported"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record["imported"] == {"file": "best.pth", "sha256": digest}
    assert "private" not in run.config_file.read_text()  # but in the command line on the record
    state = torch.load(run.best_checkpoint, weights_only=True)["state_dict"]
    for key, tensor in torch.load(weights, weights_only=True).items():
        assert torch.equal(state[key.replace("module.", "network.", 1)], tensor)
    assert (state["scale.offset"], state["scale.factor"]) == (0, 63)  # as released


def test_a_release_checkpoint_of_full_size_is_imported(
    command: RunCommand, release_state: ReleaseState, tmp_path: Path
) -> None:
    release = release_state("sta_fused")
    torch.save(release, tmp_path / "release.pth")
    outcome = command("import_weights", "model=sta_drn", "ckpt=release.pth", "out=imported")
    assert outcome.code == 0, outcome.err
    state = torch.load(Run(tmp_path / "imported").best_checkpoint, weights_only=True)["state_dict"]
    assert torch.equal(state["network.stem.conv.weight"], release["conv_1.weight"])


def test_the_scale_can_be_told(command: RunCommand, weights: Path, tmp_path: Path) -> None:
    told = "optim.scale.maximum=24", "+optim.scale.factor=1"
    assert command("import_weights", *SMALL, *told, f"ckpt={weights}", "out=imported").code == 0
    state = torch.load(Run(tmp_path / "imported").best_checkpoint, weights_only=True)["state_dict"]
    assert state["scale.factor"] == 1


def test_a_run_without_a_corpus_is_evaluated_on_another(
    command: RunCommand, weights: Path, csv_corpus: Path, tmp_path: Path
) -> None:
    assert command("import_weights", *SMALL, *CLIPS, f"ckpt={weights}", "out=imported").code == 0
    refused = command("evaluate", "run=imported")
    assert refused.code == 2
    assert "no corpus is named" in refused.err
    given = "data=csv", f"data.table={csv_corpus}", "data.num_workers=0", "hydra.run.dir=evaluated"
    outcome = command("evaluate", "run=imported", *given)
    assert outcome.code == 0, outcome.err
    config = Run(tmp_path / "evaluated").config()
    assert (config.data.clip_length, config.data.size) == (4, 16)  # as imported, not as the network's config
    assert Run(tmp_path / "evaluated").metrics()["videos"]["n"] == 4
    compared = command("compare", "runs=evaluated", "out=compared")
    assert compared.code == 0, compared.err
    with (tmp_path / "compared" / "groups.csv").open() as table:
        row = next(csv.DictReader(table))  # MAE over all videos
    assert float(row["mean"]) == pytest.approx(Run(tmp_path / "evaluated").metrics()["videos"]["mae"])


def test_a_corpus_may_be_named_at_once(
    command: RunCommand, weights: Path, csv_corpus: Path, tmp_path: Path
) -> None:
    given = "data=csv", f"data.table={csv_corpus}"
    assert command("import_weights", *SMALL, *given, f"ckpt={weights}", "out=imported").code == 0
    assert Run(tmp_path / "imported").record()["dataset"]["videos"]["test"] == 4


def test_listing_and_comparison_take_a_run_without_metrics(
    command: RunCommand, weights: Path, tmp_path: Path
) -> None:
    assert command("import_weights", *SMALL, f"ckpt={weights}", "out=runs/imported").code == 0
    assert summary_of(tmp_path / "runs" / "imported").status == "finished"
    outcome = command("compare", "runs=runs")
    assert outcome.code == 2
    assert "imported weights, which were not evaluated" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.base_planes=4"], "does not fit the network"),
        (["ckpt=missing.pth"], "does not exist"),
        (["ckpt=private/text.pth"], "not a checkpoint"),
        (["data=csv", "data.table=missing.csv"], "missing.csv"),
        (["ckpt=null"], "config key ckpt"),
        (["run=private"], "config key run"),
        (["ckpt=private/diverged.pth"], "network.head.bias: has NaN"),
        (["ckpt=private/ours.ckpt", "+optim.scale.factor=2"], "config key optim.scale.factor"),
    ],
)
def test_what_cannot_be_imported_leaves_no_run(
    command: RunCommand, weights: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (weights.parent / "text.pth").write_text("no checkpoint")
    state = StaDrn(base_planes=2, layers=(1, 1)).state_dict()
    scale = {"scale.offset": torch.tensor(0.0), "scale.factor": torch.tensor(63.0)}
    ours = {f"network.{key}": tensor for key, tensor in state.items()} | scale
    torch.save({"state_dict": ours}, weights.parent / "ours.ckpt")
    torch.save(state | {"head.bias": torch.tensor([torch.nan])}, weights.parent / "diverged.pth")
    outcome = command("import_weights", *SMALL, f"ckpt={weights}", "out=imported", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    run = Run(tmp_path / "imported")
    assert not run.config_file.exists()
    assert not run.record_file.exists()
    assert not run.checkpoints.exists()


def test_a_run_that_is_there_is_kept(command: RunCommand, weights: Path, tmp_path: Path) -> None:
    assert command("import_weights", *SMALL, f"ckpt={weights}", "out=imported").code == 0
    before = json.loads((tmp_path / "imported" / "record.json").read_text())
    outcome = command("import_weights", *SMALL, f"ckpt={weights}", "out=imported")
    assert outcome.code == 2
    assert "there is a run already" in outcome.err
    assert json.loads((tmp_path / "imported" / "record.json").read_text()) == before
    for name, key in (("reproduce", "run"), ("train", "resume")):
        outcome = command(name, f"{key}=imported")
        assert outcome.code == 2
        assert "imported weights: there is no training" in outcome.err
