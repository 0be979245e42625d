"""Evaluations take the network's current weights in a form of their own, and leave training as it is."""

from functools import partial

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from depression_vr.data.datasets import NetworkBatch
from depression_vr.learning.loss import ScoreLoss
from depression_vr.learning.scale import ScoreScale
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.inference import for_inference
from depression_vr.models.sta_drn import StaDrn


def batch(seed: int) -> NetworkBatch:
    clips = torch.randn(2, 3, 8, 32, 32, generator=torch.Generator().manual_seed(seed))
    return NetworkBatch((clips,), torch.tensor([10.0, 20.0]), torch.arange(2), torch.zeros(2, dtype=int))


TRAINING, DEVELOPMENT = [batch(seed) for seed in range(3)], [batch(9)]


class Watched(ScoreRegression):
    """Keeps what every evaluation scored, and what the network itself would have."""

    def __init__(self, evaluates_otherwise: bool) -> None:
        torch.manual_seed(0)
        super().__init__(
            StaDrn(base_planes=4, layers=(1, 1)),
            ScoreScale(factor=10),
            ScoreLoss([nn.MSELoss()], compare="score"),
            partial(torch.optim.SGD, lr=1e-4),
            for_evaluation=for_inference if evaluates_otherwise else None,
        )
        self.scores: list[Tensor] = []
        self.expected: list[Tensor] = []
        self.keys: set[str] = set()

    def on_validation_epoch_end(self) -> None:
        self.scores.append(self.development.window_scores().estimate)
        self.expected.append(self(*DEVELOPMENT[0].views))
        self.keys |= self.state_dict().keys()
        super().on_validation_epoch_end()


def trained(evaluates_otherwise: bool) -> Watched:
    module = Watched(evaluates_otherwise)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=3,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loaders = (DataLoader(batches, batch_size=None) for batches in (TRAINING, DEVELOPMENT))
    trainer.fit(module, *loaders)
    return module


def test_every_evaluation_is_of_the_weights_of_its_time() -> None:
    module = trained(evaluates_otherwise=True)
    torch.testing.assert_close(module.scores, module.expected, rtol=0, atol=1e-3)
    assert (module.scores[0] - module.scores[-1]).abs().max() > 0.01


def test_evaluating_otherwise_changes_no_bit_of_a_training_and_no_key_of_a_checkpoint() -> None:
    with_it, without = trained(evaluates_otherwise=True), trained(evaluates_otherwise=False)
    assert with_it.keys == without.keys
    state, expected = with_it.state_dict(), without.state_dict()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
