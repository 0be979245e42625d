"""A checkpoint that was trained in half precision says the same in half precision and in float32."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from depression_vr.callbacks.precision import PrecisionGuard
from depression_vr.data.datasets import NetworkBatch
from depression_vr.learning.loss import ScoreLoss
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.schedule import Schedule
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.inference import for_inference
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn
from depression_vr.models.weights import load_state, read_state

STEPS = 40
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "sta_drn": lambda: StaDrn(base_planes=16, layers=(1, 1)),
    "plegdf_fglscf": lambda: PlegdfFglscf(
        size=32, base_planes=16, layers=(1, 1), plegdf_stages=(1, 2), dropout=0.0, small_start=True
    ),
}


class Bright(Dataset[NetworkBatch]):
    """Batches of noisy clips of four frames whose brightness says the score."""

    def __init__(self, views: int) -> None:
        self.views = views

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, number: int) -> NetworkBatch:
        if number >= STEPS:
            raise IndexError
        return bright(60 * torch.rand(8, generator=torch.Generator().manual_seed(number)), number, self.views)


def bright(score: Tensor, seed: int, views: int) -> NetworkBatch:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(views, len(score), 3, 4, 32, 32, generator=generator)
    clips = noise / 2 + score.view(-1, 1, 1, 1, 1) / 31.5 - 1
    video = torch.arange(len(score))
    return NetworkBatch(tuple(clips), score, video, torch.zeros_like(video))


def regression(network: str) -> ScoreRegression:
    torch.manual_seed(0)
    scale = ScoreScale(standardise=True)
    scale.fit(torch.linspace(0, 60, 13))
    schedule = Schedule(
        partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=3e-3), "step", spans_training=True
    )
    loss = ScoreLoss([nn.SmoothL1Loss()], "y")
    return ScoreRegression(NETWORKS[network](), scale, loss, partial(torch.optim.AdamW, lr=3e-3), schedule)


def express_in(module: ScoreRegression, factor: float) -> None:
    """Let the last layer say the same scores on a scale of so many points, without offset."""
    *_, head = (layer for layer in module.network.modules() if isinstance(layer, nn.Linear))
    head.weight.mul_(module.scale.factor / factor)
    head.bias.copy_((head.bias * module.scale.factor + module.scale.offset) / factor)
    module.scale.load_state_dict(ScoreScale(factor=factor).state_dict())


@pytest.mark.parametrize("network", NETWORKS)
def test_scores_of_one_checkpoint_agree_to_half_a_point(network: str, tmp_path: Path) -> None:
    views = 1 + (network == "plegdf_fglscf")
    guard = PrecisionGuard()
    trainer = pl.Trainer(
        accelerator="cpu",
        precision="bf16-mixed",
        max_epochs=1,
        gradient_clip_val=1.0,
        callbacks=[guard],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(regression(network), DataLoader(Bright(views), batch_size=None))
    assert guard.float32_layers
    trainer.save_checkpoint(tmp_path / "last.ckpt")

    module = regression(network).eval()
    load_state(module, read_state(tmp_path / "last.ckpt"), tmp_path / "last.ckpt")
    clips = bright(torch.linspace(3, 57, 19), STEPS, views)
    differences = []
    for factor in (None, 63.0, 1.0):  # as trained, and as the two papers have it
        with torch.no_grad():
            if factor is not None:
                express_in(module, factor)
            exact = module(*clips.views)
            with MixedPrecision("bf16-mixed", "cpu").forward_context():
                rounded = module(*clips.views)
                folded = module.scale.score(for_inference(module.network)(*clips.views).float())
        assert (exact - clips.score).abs().mean() < 8  # it has learned the task
        assert (folded - exact).abs().max() < 0.5
        differences.append((rounded - exact).abs().max().item())
    assert 0 < max(differences) < 0.5
    assert max(differences) - min(differences) < 0.001  # the last layer adds none on any scale
