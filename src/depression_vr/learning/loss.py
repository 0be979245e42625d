"""What training minimises."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from depression_vr.learning.scale import ScoreScale


class RootMeanSquaredError(nn.Module):
    """Root of a batch's mean squared error, a scalar; its gradient at a perfect estimate is 0.

    >>> RootMeanSquaredError()(torch.tensor([1.0, 7.0]), torch.tensor([2.0, 0.0]))
    tensor(5.)
    """

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        """Of ``(B,)`` each."""
        return torch.linalg.vector_norm(estimate - target) / len(target) ** 0.5


class ScoreLoss(nn.Module):
    """A sum of regression losses, on one of two scales.

    Args:
        terms: losses of (estimate, target), such as ``torch.nn.MSELoss()``.
        compare: ``score`` compares points (63 * y with the BDI-II score), ``y`` what the network puts out
            (y with score / 63).
    """

    def __init__(self, terms: Sequence[nn.Module], compare: Literal["score", "y"]) -> None:
        super().__init__()
        if compare not in ("score", "y"):
            raise ValueError(f"compare={compare!r} is unknown; known are score, y")
        self.terms = nn.ModuleList(terms)
        self.compare = compare

    def forward(self, y: Tensor, score: Tensor, scale: ScoreScale) -> Tensor:
        """Loss of the outputs ``(B,)`` for the scores ``(B,)``, a scalar."""
        estimate, target = (
            (scale.unbounded_score(y), score) if self.compare == "score" else (y, scale.target(score))
        )
        losses = [term(estimate, target) for term in self.terms]
        return sum(losses[1:], start=losses[0])
