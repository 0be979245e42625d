"""What the progress bar of a training shows, in a narrow terminal too."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import rich
import torch
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from depression_vr.callbacks.progress import TrainingProgress

SHOWN = {
    "MAE": (10.898, "MAE: 10.898"),
    "development/mae": (14.34, "development/mae: 14.340"),
    "MiB": (1581.809, "MiB: 1582"),
    "clips/s": (20.757, "clips/s: 20.8"),
    "wait": (0.062, "wait: 6%"),
}

ERASED = "\x1b[2K"
"""What a terminal is told before a line is drawn again."""


class Shows(pl.LightningModule):
    """Logs numbers such as those of a training for its bar."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        for name, (value, _) in SHOWN.items():
            self.log(name, value, prog_bar=True, logger=False)
        return self.weight.sum()

    def test_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Partition(pl.LightningDataModule):
    evaluate_on = "development"

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.zeros(2))  # type: ignore[arg-type]

    test_dataloader = train_dataloader


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    """Of 80 columns; Lightning draws on the console that rich has for all."""
    written = io.StringIO()
    yield written
    rich.reconfigure()


def test_bars_fit_into_80_columns_and_say_what_they_are_of(terminal: io.StringIO, tmp_path: Path) -> None:
    settings = {"width": 80, "file": terminal, "force_terminal": True, "color_system": None}
    bar = TrainingProgress(console_kwargs=settings)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=CSVLogger(tmp_path, version="of a logger"),
        callbacks=bar,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    module, partition = Shows(), Partition()
    trainer.fit(module, partition)
    drawn = terminal.getvalue().rpartition(ERASED)[2].partition("\x1b")[0].splitlines()
    assert len(drawn) == 2
    shown = " ".join(" ".join(drawn).split())
    assert shown.startswith("Epoch 0/0")
    assert [text for _, text in SHOWN.values() if text not in shown] == []
    assert "of a logger" not in terminal.getvalue()
    trainer.test(module, partition, verbose=False)
    assert "Scoring development" in terminal.getvalue()
