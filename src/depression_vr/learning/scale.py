"""Between the unbounded number y of a network and a score."""

import torch
from torch import Tensor, nn


class ScoreScale(nn.Module):
    """A score is ``relu(offset + factor * y)``; offset and factor travel with the checkpoint.

    As released with STA-DRN: offset 0, factor the maximum, so BDI-II = 63 * relu(y), not clipped at 63.

    Args:
        maximum: the highest score of the scale, 63 for BDI-II.
        factor: points per unit of y; the maximum where None.
        standardise: take offset and factor from the training labels (mean and standard deviation)
            instead; then y starts where the mean predictor stands, and short recipes learn.
        clip: also cut scores at the maximum.
    """

    offset: Tensor
    factor: Tensor

    def __init__(
        self,
        maximum: float = 63.0,
        factor: float | None = None,
        standardise: bool = False,
        clip: bool = False,
    ) -> None:
        super().__init__()
        self.maximum = maximum
        self.standardise = standardise
        self.clip = clip
        self.register_buffer("offset", torch.tensor(0.0))
        self.register_buffer("factor", torch.tensor(float(maximum if factor is None else factor)))

    def fit(self, labels: Tensor) -> None:
        """Take mean and deviation of the training labels, ``(n,)``, where the scale is standardised."""
        if self.standardise:
            self.offset.fill_(labels.double().mean())
            deviation = labels.double().std(correction=0)
            self.factor.fill_(deviation if deviation > 0 else 1.0)

    def unbounded_score(self, y: Tensor) -> Tensor:
        """Score of y before any bound, in points, ``(B,)``."""
        return self.offset + self.factor * y

    def target(self, score: Tensor) -> Tensor:
        """The y that stands for a score in points, ``(B,)``."""
        return (score - self.offset) / self.factor

    def score(self, y: Tensor) -> Tensor:
        """The reported score of y in points, 0 or more, ``(B,)``."""
        return self.unbounded_score(y).clamp(min=0, max=self.maximum if self.clip else None)
