"""Trainings in several processes."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from depression_vr.distributed.gathering import of_all_processes
from depression_vr.distributed.strategy import TogetherDDP
from depression_vr.runs.resume_files import resume_files
from depression_vr.runs.run import Run
from side_by_side import PLEGDF, STA_DRN, run_command, run_function, write_corpus

FRAMES = {"training": [16] * 33, "development": [20, 8, 12], "test": [16, 30, 8]}
SHORT = ("trainer.max_epochs=2", "trainer.log_every_n_steps=1", "logger=csv", "data.drop_last=true")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("training") / "corpus", FRAMES)


def training(folder: Path, table: Path, processes: int, *arguments: str) -> Run:
    codes = run_command(folder, processes, "train", f"data.table={table}", *SHORT, *arguments)
    assert codes == [0] * processes, (folder / "rank0.out").read_text()
    return Run(folder / "run")


def weights(run: Run) -> dict[str, Tensor]:
    return torch.load(run.checkpoints / "last.ckpt", weights_only=True)["state_dict"]


def distance(one: Run, other: Run) -> float:
    """Of all weights and running statistics, as a share of their norm."""
    ours, theirs = weights(one), weights(other)
    assert list(ours) == list(theirs)
    difference = sum((ours[name] - theirs[name]).double().square().sum() for name in ours)
    return float((difference / sum(tensor.double().square().sum() for tensor in ours.values())) ** 0.5)


def column(run: Run, name: str) -> list[float]:
    with run.curves_file.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row.get(name)]


def test_two_processes_with_half_a_batch_train_as_one(table: Path, tmp_path: Path) -> None:
    one = training(tmp_path / "one", table, 1, *PLEGDF, "data.batch_size=16")
    two = training(tmp_path / "two", table, 2, *PLEGDF, "data.batch_size=8")
    apart = training(
        tmp_path / "apart", table, 2, *PLEGDF, "data.batch_size=8", "trainer.sync_batchnorm=false"
    )
    assert distance(one, two) < 1e-4
    assert distance(one, apart) > 1e-2
    for name in ("training/loss_epoch", "development/mae", "test/mae"):
        assert column(two, name) == pytest.approx(column(one, name), rel=1e-4)
    batches = [run.record()["effective_batch"] for run in (one, two)]
    assert [(each["per_device"], each["devices"], each["total"]) for each in batches] == [
        (16, 1, 16), (8, 2, 16)
    ]  # fmt: skip


def test_the_rate_that_was_used_is_recorded_and_said(table: Path, tmp_path: Path) -> None:
    run = training(tmp_path / "run", table, 3, *STA_DRN, "data.batch_size=4", "scale_lr=linear")
    assert run.config().optim.optimizer.lr == pytest.approx(3e-3)
    assert run.config().optim.schedule.scheduler.max_lr == pytest.approx(3e-3)
    assert run.config().unscaled_lr == pytest.approx(1e-3)
    assert 2e-3 < max(column(run, "lr-AdamW")) <= 3e-3  # one cycle, whose peak lies between two steps
    assert run.record()["effective_batch"]["total"] == 12
    assert column(run, "ranks/clips_per_second_min") <= column(run, "ranks/clips_per_second_max")
    said = (tmp_path / "run" / "rank0.out").read_text()
    assert said.count("effective batch: 12 clips (4 x 3 devices x 1 accumulated); learning rate: 0.003") == 1
    assert (tmp_path / "run" / "rank1.out").read_text() == ""


class Drawing(pl.LightningModule):
    """Draws random numbers as dropout does."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.draws: list[float] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.draws.append(float(torch.rand(())))
        return self.layer(batch).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(processes: int, folder: Path, **settings: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        devices=processes,
        strategy=TogetherDDP(folder),
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


def processes_draw_other_numbers_and_have_one_network(folder: Path) -> None:
    pl.seed_everything(3, verbose=False)
    module = Drawing()
    trainer(2, folder).fit(module, DataLoader(torch.ones(8, 1)))
    draws = of_all_processes(tuple(module.draws))
    assert len({number for numbers in draws for number in numbers}) == 2 * 4
    assert len({float(weight) for weight in of_all_processes(module.layer.weight.detach())}) == 1


def test_processes_draw_other_numbers_and_have_one_network(tmp_path: Path) -> None:
    assert run_function(2, processes_draw_other_numbers_and_have_one_network, tmp_path) == [0, 0]


@pytest.mark.slow
def test_two_processes_that_are_stopped_go_on_to_the_same_weights(tmp_path: Path) -> None:
    table = write_corpus(tmp_path / "corpus", {"training": [9] * 8, "development": [9, 9], "test": [9, 9]})
    own = ("trainer=ddp_sim", "data.batch_size=2", "model.dropout=0.2", "trainer.max_epochs=4", "logger=csv")
    train = [sys.executable, "-m", "depression_vr.train"]
    arguments = [*train, *STA_DRN, f"data.table={table}", *own, "callbacks.resume.every_n_steps=1"]
    subprocess.run([*arguments, "hydra.run.dir=undisturbed"], cwd=tmp_path, check=True)
    run = Run(tmp_path / "run")
    with subprocess.Popen([*arguments, "hydra.run.dir=run"], cwd=tmp_path) as process:
        while len(resume_files(run.checkpoints)) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 75
    assert run.record()["status"] == "interrupted"
    subprocess.run([*train, "resume=run"], cwd=tmp_path, check=True)
    ours, theirs = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (run.folder, tmp_path / "undisturbed")
    )
    assert all(torch.equal(tensor, ours[key]) for key, tensor in theirs.items())
    other = subprocess.run([*train, "resume=undisturbed", "trainer.devices=1"], cwd=tmp_path, check=False)
    assert other.returncode == 2
