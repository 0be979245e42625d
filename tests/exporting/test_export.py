"""An exported network is a file that says, on its own, what the run's network says."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from conftest import RunCommand
from depression_vr.data.augmentation import Normalisation
from depression_vr.data.regions import Region, RegionViews
from depression_vr.errors import UserError
from depression_vr.exporting.card import refuse_folder
from depression_vr.exporting.checking import checked
from depression_vr.exporting.formats import format_named
from depression_vr.exporting.frames_to_score import FramesToScore
from depression_vr.exporting.tracing import traced
from depression_vr.learning.scale import ScoreScale
from depression_vr.models.baselines import R3D18
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn
from depression_vr.runs.bands import NO_DIAGNOSIS

STA_DRN = ("model=sta_drn", "model.base_planes=2", "model.layers=[1,1]", "data.size=16")
PLEGDF = (
    "model=plegdf_fglscf",
    "model.base_planes=2",
    "model.layers=[1,1]",
    "model.plegdf_stages=[1]",
    "data.size=32",
)


def sta_drn(attention: str = "sta_fused", layers: tuple[int, ...] = (1, 1)) -> StaDrn:
    return StaDrn(attention, base_planes=2, layers=layers)


def plegdf(fusion: str = "fglscf") -> PlegdfFglscf:
    return PlegdfFglscf(32, fusion, (1,), base_planes=2, layers=(1, 1))


def save(network: nn.Module, file: Path) -> None:
    """Write its weights; batch norms have statistics, and scores lie inside of the scale."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d | nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    *_, head = (module for module in network.modules() if isinstance(module, nn.Linear))
    nn.init.normal_(head.weight, std=0.05)
    nn.init.constant_(head.bias, 0.4)
    torch.save(network.state_dict(), file)


def export(
    command: RunCommand, tmp_path: Path, network: nn.Module, settings: tuple[str, ...], *arguments: str
) -> Mapping[str, Any]:
    """Import the network as a run and export that; returns the facts of the card."""
    torch.manual_seed(0)
    save(network, tmp_path / "weights.pth")
    clips = "data.clip_length=6", "data.frame_step=2"
    imported = command("import_weights", *settings, *clips, "ckpt=weights.pth", "out=run")
    assert imported.code == 0, imported.err
    exported = command("export", "run=run", "out=exported", *arguments)
    assert exported.code == 0, exported.err
    card: Mapping[str, Any] = json.loads((tmp_path / "exported" / "model_card.json").read_text())
    return card


def assert_agrees(card: Mapping[str, Any]) -> None:
    check = card["check"]
    assert check["largest_difference"] < 1e-3
    assert check["highest"] > check["lowest"] + 0.1  # otherwise any constant would agree
    assert check["at_a_bound"] < check["clips"] / 2


def names_of_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the code on the card has made in the end."""
    (example,) = re.findall(r"```python\n(.+?)```", (folder / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(folder)
    known: dict[str, Any] = {}
    exec(example, known)
    return known


def test_a_sta_drn_in_onnx(command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    card = export(command, tmp_path, sta_drn(layers=(1,)), (*STA_DRN, "model.layers=[1]"))
    assert_agrees(card)
    file = tmp_path / "exported" / "model.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("frames", "tensor(uint8)", ["batch", "time", 16, 16, 3])
    assert (given.name, given.shape) == ("score", ["batch"])
    frames = torch.randint(0, 256, (3, 20, 16, 16, 3), dtype=torch.uint8)
    (together,) = session.run(["score"], {"frames": frames.numpy()})
    apart = [session.run(["score"], {"frames": clip[None].numpy()})[0][0] for clip in frames]
    torch.testing.assert_close(torch.tensor(together), torch.tensor(apart), atol=1e-4, rtol=0)
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "README.md", "model.onnx", "model_card.json",
    ]  # fmt: skip
    known = names_of_example(file.parent, monkeypatch)
    for count in (5, 30):
        assert 0 <= known["score_of"](known["frames"][:count]) <= 63
    for written in file.parent.iterdir():
        assert str(tmp_path).encode() not in written.read_bytes()
        assert str(Path(__file__).parents[2]).encode() not in written.read_bytes()


@pytest.mark.slow
def test_a_plegdf_with_its_regions_in_torch_export(
    command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = export(command, tmp_path, plegdf(), PLEGDF, "format=torch_export", "frame_size=[40,44]")
    assert_agrees(card)
    assert card["input"]["shape"] == ["batch", "time", 40, 44, 3]
    known = names_of_example(tmp_path / "exported", monkeypatch)
    for clips, length in ((1, 1), (2, 9)):
        frames = torch.randint(0, 256, (clips, length, 40, 44, 3), dtype=torch.uint8)
        assert known["network"](frames).shape == (clips,)


EVERY_NETWORK = {
    "sa": (sta_drn("sa"), (*STA_DRN, "model.attention=sa"), ()),
    "ta": (sta_drn("ta"), (*STA_DRN, "model.attention=ta"), ()),
    "sta": (sta_drn("sta"), (*STA_DRN, "model.attention=sta"), ()),
    "sta_fused": (sta_drn(), STA_DRN, ()),
    "fglscf": (plegdf(), PLEGDF, ("frame_size=40",)),
    "r3d_18": (R3D18(), ("model=r3d_18", "data.size=32"), ()),
}
CHOICES = [(network, "onnx") for network in EVERY_NETWORK]
CHOICES += [(network, "torch_export") for network in ("sta_fused", "r3d_18")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_every_network_exports(command: RunCommand, tmp_path: Path, name: str, choice: str) -> None:
    network, settings, arguments = EVERY_NETWORK[name]
    assert_agrees(export(command, tmp_path, network, settings, f"format={choice}", *arguments))


def test_the_card_of_an_evaluated_network(
    command: RunCommand, tmp_path: Path, csv_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    save(sta_drn(layers=(1,)), private / "weights.pth")
    clips = "data.clip_length=4", "data.frame_step=2"
    weights = f"ckpt={private / 'weights.pth'}"
    assert command("import_weights", *STA_DRN, "model.layers=[1]", *clips, weights, "out=run").code == 0
    corpus = "data=csv", f"data.table={csv_corpus}", "data.num_workers=0", "hydra.run.dir=evaluated"
    assert command("evaluate", "run=run", *corpus).code == 0
    export = "export", "run=run", "format=torch_export"
    other_clips = command(*export, "evaluation=evaluated", "data.clip_length=5")
    assert other_clips.code == 2
    assert "data.clip_length" in other_clips.err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # the evaluation has recorded a relative path
    outcome = command(*export, "run=../run", "evaluation=../evaluated")
    assert outcome.code == 0, outcome.err
    folder = tmp_path / "run" / "exported" / "torch_export"
    card = json.loads((folder / "model_card.json").read_text())
    metrics = json.loads((tmp_path / "evaluated" / "metrics.json").read_text())
    assert card["evaluation"]["metrics"]["mae"]["value"] == pytest.approx(metrics["videos"]["mae"])
    assert card["evaluation"]["metrics"]["mae"]["missing"] == "only 2 subjects"
    text = (folder / "README.md").read_text()
    assert NO_DIAGNOSIS in text
    assert f"| MAE | {metrics['videos']['mae']:.2f} | only 2 subjects |" in text
    assert "The weights were imported" in text
    assert card["imported"]["sha256"] in text
    for file in folder.iterdir():
        content = file.read_bytes()
        assert str(tmp_path).encode() not in content
        assert str(Path(__file__).parents[2]).encode() not in content
        assert b"305_1" not in content  # a recording of the corpus
    known = names_of_example(folder, monkeypatch)
    predictions_file = tmp_path / "evaluated" / "predictions.csv"
    predictions = pd.read_csv(predictions_file).set_index("video_id")["estimate"]
    assert predictions.max() - predictions.min() > 0.1
    for video_id, estimate in predictions.items():  # shorter than a clip's span, and longer
        frames = known["frames_of"](sorted((csv_corpus.parent / video_id).iterdir()))
        assert known["score_of"](frames) == pytest.approx(estimate, abs=0.02)
    whole = predictions_file.read_text()
    predictions_file.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    monkeypatch.chdir(tmp_path)
    fewer = command(*export, "evaluation=evaluated")
    assert fewer.code == 2
    assert "metrics.json and predictions.csv disagree" in fewer.err
    predictions_file.write_text(whole)
    weights = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    weights["state_dict"]["network.head.bias"] += 1
    torch.save(weights, tmp_path / "run" / "checkpoints" / "best.ckpt")
    changed = command(*export, "evaluation=evaluated")
    assert changed.code == 2
    assert "no evaluation of these weights" in changed.err


def test_a_network_that_differs_is_refused() -> None:
    def exported(frames: torch.Tensor) -> torch.Tensor:
        return frames.float().mean((1, 2, 3, 4))

    def original(frames: torch.Tensor) -> torch.Tensor:
        return exported(frames) + 0.011 * (len(frames) == 3)

    with pytest.raises(UserError, match=r"differs from the original by 0\.011"):
        checked(original, exported, clip_length=8, frame_size=(16, 16), maximum=255)


def test_what_lies_beyond_the_scale_agrees_and_is_counted() -> None:
    def original(frames: torch.Tensor) -> torch.Tensor:
        return torch.full((len(frames),), 1000.0 if len(frames) == 3 else 20.0)

    check = checked(original, lambda x: 1.0001 * original(x), clip_length=8, frame_size=(16, 16), maximum=63)
    assert (check.clips, check.at_a_bound, check.highest) == (11, 3, 63)
    assert check.largest_difference == pytest.approx(0.002, rel=0.01)


def test_not_a_number_is_refused_and_blamed_on_who_says_it() -> None:
    def means(frames: torch.Tensor) -> torch.Tensor:
        return frames.float().mean((1, 2, 3, 4))

    def no_number(frames: torch.Tensor) -> torch.Tensor:
        return torch.full((len(frames),), torch.nan)

    for original, exported, said in ((means, no_number, "differs"), (no_number, no_number, "itself gives")):
        with pytest.raises(UserError, match=said):
            checked(original, exported, clip_length=8, frame_size=(16, 16), maximum=255)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["format=keras"], "there is no format 'keras'"),
        (["run=nowhere"], "this is no run directory"),
        (["frame_size=20"], "the network sees frames of one size"),
        (["evaluation=run"], "this is no evaluation of these weights"),
        (["precision=bf16-mixed"], "config key precision"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(
    command: RunCommand, tmp_path: Path, arguments: list[str], said: str
) -> None:
    save(sta_drn(layers=(1,)), tmp_path / "weights.pth")
    small = (*STA_DRN, "model.layers=[1]", "data.clip_length=2")
    assert command("import_weights", *small, "ckpt=weights.pth", "out=run").code == 0
    outcome = command("export", "run=run", "format=torch_export", "out=exported", *arguments)
    assert outcome.code == 2
    assert said in outcome.err + outcome.out
    assert not (tmp_path / "exported").exists()


def test_what_is_no_earlier_export_is_kept(tmp_path: Path) -> None:
    wanted = format_named("torch_export")
    refuse_folder(tmp_path, wanted)  # an empty one
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UserError, match="no model card"):
        refuse_folder(tmp_path, wanted)
    for name in ("model_card.json", "model.pt2"):
        (tmp_path / name).touch()
    refuse_folder(tmp_path, wanted)
    (tmp_path / "model.onnx").touch()
    with pytest.raises(UserError, match=r"another format, model\.onnx"):
        refuse_folder(tmp_path, wanted)


def test_a_folder_that_cannot_be_is_refused_before_the_network_is_converted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="nothing can be written there"):
            refuse_folder(folder, format_named("torch_export"))
    refuse_folder(tmp_path / "new" / "below", format_named("torch_export"))


def test_frames_at_their_own_size_need_one(command: RunCommand, tmp_path: Path) -> None:
    save(plegdf(), tmp_path / "weights.pth")
    assert command("import_weights", *PLEGDF, "ckpt=weights.pth", "out=run").code == 0
    outcome = command("export", "run=run", "format=torch_export")
    assert outcome.code == 2
    assert "frame_size=256" in outcome.err + outcome.out
    for wrong in ("frame_size=abc", "frame_size=[4]", "frame_size=0"):
        outcome = command("export", "run=run", "format=torch_export", wrong)
        assert outcome.code == 2
        assert "config key frame_size" in outcome.err + outcome.out


def test_the_mean_baseline_goes_through_folders_named_by_numbers(command: RunCommand, tmp_path: Path) -> None:
    state = {
        "network.constant": torch.tensor(0.0),
        "scale.offset": torch.tensor(15.0),
        "scale.factor": torch.tensor(9.0),
    }
    torch.save({"state_dict": state}, tmp_path / "mean.ckpt")
    imported = command("import_weights", "model=mean_baseline", "ckpt=mean.ckpt", "out=0")
    assert imported.code == 0, imported.err
    assert command("export", "run=0", "format=torch_export", "out=2014").code == 0
    folder = tmp_path / "2014"
    assert "All random clips of the check had the same score" in (folder / "README.md").read_text()
    (folder / "model.pt2").unlink()
    (folder / "model.pt2" / "in the way").mkdir(parents=True)
    (folder / ".export-killed" / "model.pt2").mkdir(parents=True)
    assert command("export", "run=0", "format=torch_export", "out=2014").code == 2
    assert [each.name for each in folder.iterdir()] == ["model.pt2"]  # and no card of what is not there


def test_pytorch_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.dynamic_spec", None)
    network = nn.Linear(1, 1)
    views = RegionViews([Region()], (16, 16))
    module = FramesToScore(network, ScoreScale(), views, Normalisation([0, 0, 0], [1, 1, 1]))
    with pytest.raises(UserError, match=r"needs PyTorch 2\.14"):
        traced(module, (16, 16))


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'depression-vr\[onnx\]'"):
        format_named("onnx")
