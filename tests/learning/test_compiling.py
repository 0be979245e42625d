"""``compile=true``: the same training, faster steps; or one message where nothing can be compiled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from conftest import RunCommand
from depression_vr.configs import compose
from depression_vr.data.datasets import NetworkBatch
from depression_vr.errors import UserError
from depression_vr.learning.compiling import compiler_faults_explained, is_compiled
from depression_vr.learning.loss import ScoreLoss
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.runs.run import Run
from depression_vr.settings import settings_fingerprint
from killing import KILLED, KillPoint, trained

SMALL = (
    *("model=sta_drn", "model.base_planes=2", "model.layers=[1]", "model.groups=1", "data=csv"),
    *("data.clip_length=4", "data.frame_step=1", "data.size=32", "data.batch_size=4", "data.num_workers=0"),
    *("trainer.max_epochs=2", "logger=csv", "callbacks.progress=null", "trainer.accelerator=cpu"),
)


def state(checkpoint: Path) -> dict[str, Tensor]:
    content: dict[str, dict[str, Tensor]] = torch.load(checkpoint, weights_only=True)
    return content["state_dict"]


def small(csv_corpus: Path, run: str, *more: str) -> tuple[str, ...]:
    return (*SMALL, f"data.table={csv_corpus}", f"hydra.run.dir={run}", *more)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_compiled_training_is_the_same_training(
    command: RunCommand, csv_corpus: Path, precision: str
) -> None:
    """Also where a layer has to be put into float32: the stem, with a kernel of 7 over four frames."""
    layers = ("model.layers=[1,1]", f"precision={precision}")
    for run, compiled in (("eager", "false"), ("compiled", "true")):
        outcome = command("train", *small(csv_corpus, run, *layers, f"compile={compiled}"))
        assert outcome.code == 0, outcome.err
    eager, compiled_run = Run(Path("eager")), Run(Path("compiled"))
    ours, theirs = (state(run.checkpoints / "last.ckpt") for run in (compiled_run, eager))
    assert ours.keys() == theirs.keys()
    if precision == "32-true":
        for name, tensor in theirs.items():
            torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-3, msg=name)
    scores, expected = (run.predictions()["estimate"] for run in (compiled_run, eager))
    points = 0.01 if precision == "32-true" else 0.5
    assert scores.to_numpy() == pytest.approx(expected.to_numpy(), abs=points)
    assert compiled_run.record()["float32_layers"] == eager.record()["float32_layers"]
    assert bool(compiled_run.record()["float32_layers"]) == (precision == "bf16-mixed")
    assert compiled_run.record()["fingerprint"] == eager.record()["fingerprint"]


@pytest.mark.slow
@pytest.mark.parametrize("begins", ["compiled", "eager"])
def test_a_run_goes_on_compiled_or_not(
    command: RunCommand, csv_corpus: Path, begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no processes that outlive the killed one
    first, then = ("true", "false") if begins == "compiled" else ("false", "true")
    of_two = "data.batch_size=2"  # four steps in all
    arguments = small(csv_corpus, "run", of_two, f"compile={first}", "callbacks.resume.every_n_steps=1")
    assert trained(Path.cwd(), arguments, KillPoint("torch.optim.adamw:AdamW.step", 3)) == KILLED
    outcome = command("train", "resume=run", f"compile={then}")
    assert outcome.code == 0, outcome.err
    assert command("train", *small(csv_corpus, "whole", of_two)).code == 0
    ours, theirs = (state(Run(Path(run)).checkpoints / "last.ckpt") for run in ("run", "whole"))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=1e-3, msg=name)


@pytest.mark.slow
def test_no_compiler_is_one_message_before_anything_is_written(csv_corpus: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "CXX": str(tmp_path / "no-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
    }
    process = subprocess.run(
        [sys.executable, "-m", "depression_vr.train", *small(csv_corpus, "run", "compile=true")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2, process.stderr
    assert "the network cannot be compiled here" in process.stderr
    assert "CXX" in process.stderr and "compile=false" in process.stderr
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("wanted", ["compile=maybe", "tf32=7"])
def test_a_choice_that_there_is_not_is_one_message(
    command: RunCommand, csv_corpus: Path, wanted: str
) -> None:
    outcome = command("train", *small(csv_corpus, "run", wanted))
    assert outcome.code == 2
    assert f"config key {wanted.partition('=')[0]}" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_finished_run_outlives_a_wrong_choice(command: RunCommand, csv_corpus: Path) -> None:
    outcome = command("train", *small(csv_corpus, "run", "trainer.max_epochs=1"))
    assert outcome.code == 0, outcome.err
    results = {
        path: path.read_bytes() for path in Path("run").glob("*.*") if path.suffix in (".csv", ".json")
    }
    assert {path.name for path in results} >= {"metrics.json", "predictions.csv", "frames.csv"}
    assert command("train", *small(csv_corpus, "run", "compile=maybe")).code == 2
    assert all(path.read_bytes() == content for path, content in results.items())


@pytest.mark.slow
def test_a_batch_that_is_too_small_is_named_also_when_compiled(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4), nn.Linear(4, 1), nn.Flatten(0))
    module = ScoreRegression(network, ScoreScale(factor=1), ScoreLoss([nn.MSELoss()], compare="score"))
    module.compile_training()
    one = torch.tensor([0])
    with pytest.raises(UserError) as caught, compiler_faults_explained(OmegaConf.create({"compile": True})):
        module.training_step(NetworkBatch((torch.ones(1, 3, 1, 2, 2),), one, one, one), 0)
    assert "a batch of 1 is too small" in caught.value.what and "[1, 4])" in caught.value.what
    assert "data.drop_last" in caught.value.where


@pytest.mark.slow
def test_what_cannot_be_compiled_is_named() -> None:
    def wrong(x: Tensor) -> Tensor:
        return torch.ones(2, 3) @ x

    with pytest.raises(UserError) as caught, compiler_faults_explained(OmegaConf.create({"compile": True})):
        torch.compile(wrong)(torch.ones(1, 3))
    assert "must have same reduction dim" in caught.value.what
    assert "FakeTensor" not in caught.value.what
    assert caught.value.fix == "train with compile=false"


def test_compiling_changes_no_fingerprint_and_is_true_or_false() -> None:
    fixed = ("run_dir=run", "name=run", "network=sta_drn")
    default, compiled = (compose("train", [*fixed, *more]) for more in ((), ("compile=true",)))
    assert not is_compiled(default) and is_compiled(compiled)
    assert settings_fingerprint(compiled) == settings_fingerprint(default)
    with pytest.raises(UserError, match="no choice"):
        is_compiled(compose("train", [*fixed, "compile=fast"]))
