"""The training loop of every network, in a plain trainer."""

from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.utils.data import DataLoader

from depression_vr.data.datasets import NetworkBatch
from depression_vr.errors import UserError
from depression_vr.learning.loss import ScoreLoss
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.score_regression import ScoreRegression


def batch(value: float) -> NetworkBatch:
    clips = torch.full((2, 3, 1, 2, 2), value)
    return NetworkBatch((clips,), torch.tensor([10.0, 20.0]), torch.arange(2), torch.zeros(2, dtype=int))


def test_a_batch_that_overflows_in_16_bits_is_skipped(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0))
    nn.init.constant_(network[1].weight, 1.0)
    module = ScoreRegression(
        network,
        ScoreScale(factor=1),
        ScoreLoss([nn.MSELoss()], compare="score"),
        partial(torch.optim.SGD, lr=1e-3),
    )
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        plugins=MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0)),
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    batches = [batch(1.0), batch(1e4), batch(1.0)]  # 12 * 1e4 is no half-precision number
    trainer.fit(module, DataLoader(batches, batch_size=None))
    assert trainer.callback_metrics["training/loss_epoch"].isinf()
    weights = network[1].weight
    assert weights.isfinite().all()
    assert (weights < 1).any() or (weights > 1).any()


@pytest.mark.parametrize("shape", [(2, 1), (2, 2), (1,), ()])
def test_a_network_puts_out_one_number_per_clip(shape: tuple[int, ...]) -> None:
    """A loss would compare every clip of ``(B, 1)`` with the scores of all, and learn something else."""

    class Wrong(nn.Module):
        def forward(self, clips: Tensor) -> Tensor:
            return torch.zeros(shape)

    module = ScoreRegression(Wrong(), ScoreScale(factor=1), ScoreLoss([nn.MSELoss()], compare="y"))
    for step in (module.training_step, module.validation_step, module.test_step):
        with pytest.raises(UserError, match="one number per clip"):
            step(batch(1.0), 0)


def test_every_clip_counts_once_in_the_means_of_an_epoch() -> None:
    """Also those of a smaller last batch; and on a CPU the progress bar shows the MAE of the last."""
    scores = ((10.0, 20.0), (40.0,))
    batches = [
        NetworkBatch(
            (torch.zeros(len(some), 3, 1, 2, 2),),
            torch.tensor(some),
            torch.arange(len(some)),
            torch.zeros(len(some), dtype=int),
        )
        for some in scores
    ]
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 1), nn.Flatten(0))
    nn.init.zeros_(network[1].bias)  # says 0 of black clips, and learns nothing
    module = ScoreRegression(
        network,
        ScoreScale(factor=1),
        ScoreLoss([nn.MSELoss()], compare="score"),
        partial(torch.optim.SGD, lr=0.0),
    )
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        log_every_n_steps=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(batches, batch_size=None))
    assert trainer.callback_metrics["training/mae_epoch"].item() == pytest.approx((10 + 20 + 40) / 3)
    assert trainer.callback_metrics["training/loss_epoch"].item() == pytest.approx((100 + 400 + 1600) / 3)
    assert trainer.progress_bar_metrics["MAE"] == pytest.approx(40)
