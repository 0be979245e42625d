"""How throughput is measured, and that measuring changes nothing."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset

from conftest import RunCommand
from depression_vr.callbacks.throughput import Throughput
from depression_vr.data.datasets import NetworkBatch
from depression_vr.runs.run import Run

ON = "++callbacks.throughput._target_=depression_vr.callbacks.throughput.Throughput"
OFF = "++callbacks.throughput=null"
SETTINGS = (
    "data.clip_length=8",
    "data.frame_step=1",
    "data.size=16",
    "data.num_workers=0",
    "data.batch_size=2",
    "model.base_planes=2",
    "model.layers=[1,1,1,1]",
    "trainer=cpu",
    "trainer.max_epochs=4",
    "trainer.log_every_n_steps=2",
    "logger=csv",
)

Train = Callable[..., pd.DataFrame]


@pytest.fixture
def train(command: RunCommand, csv_corpus: Path) -> Train:
    """Trains eight steps on the small table into a folder and returns what was logged."""

    def run(folder: str, *overrides: str) -> pd.DataFrame:
        table = ("data=csv", f"data.table={csv_corpus}")
        outcome = command("train", *table, *SETTINGS, f"hydra.run.dir={folder}", *overrides)
        assert outcome.code == 0, outcome.err
        return pd.read_csv(Run(Path(folder)).curves_file)

    return run


def test_throughput_is_logged_with_lightnings_own_rows(train: Train) -> None:
    rows = train("run", ON).dropna(subset=["throughput/clips_per_second"])
    assert rows["step"].tolist() == [1, 3, 5, 7]
    assert rows["training/loss_step"].notna().all()
    assert (rows["throughput/clips_per_second"] > 0).all()
    assert rows["throughput/data_wait"].between(0, 1).all()
    held = psutil.Process().memory_info().rss / 2**20
    assert (rows["throughput/process_memory_mib"] > held / 2).all()
    assert "throughput/device_memory_mib" not in rows  # no GPU was used


def test_measuring_changes_no_result_and_adds_no_row(train: Train) -> None:
    on, off = train("on", ON), train("off", OFF)
    own = [column for column in on if column.startswith("throughput/")]
    assert len(own) == 3
    pd.testing.assert_frame_equal(on.drop(columns=own), off)
    for file in ("windows_file", "metrics_file"):
        assert getattr(Run(Path("on")), file).read_bytes() == getattr(Run(Path("off")), file).read_bytes()


class SlowFrames(Dataset[NetworkBatch]):
    """Clips that take 20 ms each to read."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, place: int) -> NetworkBatch:
        time.sleep(0.02)
        return NetworkBatch((torch.zeros(1),), torch.tensor(0.0), torch.tensor(place), torch.tensor(0))


class SlowModule(pl.LightningModule):
    """Takes 40 ms for a batch, and much longer for validation and checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: NetworkBatch, batch_idx: int) -> torch.Tensor:
        time.sleep(0.04)
        return (self.weight * batch.score).sum()

    def validation_step(self, batch: NetworkBatch, batch_idx: int) -> None:
        time.sleep(0.3)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        time.sleep(0.3)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_validation_and_checkpoints_are_neither_work_nor_waiting_for_data(tmp_path: Path) -> None:
    callback = Throughput()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=2,
        log_every_n_steps=4,
        val_check_interval=2,  # also in the middle of an epoch
        limit_val_batches=1,
        num_sanity_val_steps=0,
        logger=CSVLogger(tmp_path, name="", version=""),
        callbacks=[callback, ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    clips: SlowFrames = SlowFrames()
    trainer.fit(SlowModule(), DataLoader(clips, batch_size=2), DataLoader(clips, batch_size=2))
    rows = pd.read_csv(tmp_path / "metrics.csv").dropna(subset=["throughput/data_wait"])
    assert rows["step"].tolist() == [3, 7]
    assert rows["throughput/data_wait"].between(0.3, 0.6).all()  # 40 of 80 ms
    assert rows["throughput/clips_per_second"].between(12, 26).all()  # 2 in 80 ms
    assert trainer.progress_bar_metrics.keys() >= {"clips/s", "wait", "MiB"}
