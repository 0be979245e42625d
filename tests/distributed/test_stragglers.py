"""Naming the process that the others wait for."""

import logging
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from depression_vr.callbacks.stragglers import Stragglers
from side_by_side import run_function
from test_training_in_processes import trainer


class Clips(NamedTuple):
    score: Tensor


class SlowIn(Dataset[Clips]):
    """Takes its time in one process."""

    def __init__(self, rank: int) -> None:
        self.seconds = 0.1 if dist.get_rank() == rank else 0.0

    def __len__(self) -> int:
        return 16

    def __getitem__(self, place: int) -> Clips:
        time.sleep(self.seconds)
        return Clips(torch.ones(1))


class Plain(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Clips, batch_idx: int) -> Tensor:
        return self.layer(batch.score).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def the_slow_one_is_named(folder: Path) -> None:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("depression_vr").addHandler(handler)
    several = trainer(3, folder, callbacks=[Stragglers()])
    several.fit(Plain(), DataLoader(SlowIn(1), batch_size=2))
    rates = {name.rpartition("_")[2]: float(value) for name, value in several.callback_metrics.items()}
    assert rates["min"] == pytest.approx(10, rel=0.3)
    assert rates["max"] > 15
    assert "\n".join(said).count("the others wait for rank 1") == 1


def test_the_slow_process_is_named_once_an_epoch(tmp_path: Path) -> None:
    assert run_function(3, the_slow_one_is_named, tmp_path) == [0, 0, 0]


def test_a_factor_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Stragglers(factor=0.5)
