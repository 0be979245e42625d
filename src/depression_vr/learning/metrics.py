"""Metrics over videos. A window's score counts once, whatever batch or process it came through."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


def mae(estimate: Tensor, score: Tensor) -> Tensor:
    """Mean absolute error, in points.

    >>> mae(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 2.0]))
    tensor(2.)
    """
    return (estimate - score).abs().mean()


def rmse(estimate: Tensor, score: Tensor) -> Tensor:
    """Root of the mean squared error, in points.

    >>> rmse(torch.tensor([1.0, 7.0]), torch.tensor([2.0, 0.0]))
    tensor(5.)
    """
    return (estimate - score).square().mean().sqrt()


def ccc(estimate: Tensor, score: Tensor) -> Tensor:
    """Concordance correlation coefficient, -1..1 (Lin, Biometrics 1989).

    ``2 cov / (var + var + (mean - mean)^2)`` with population moments; 0 for a constant estimate, NaN
    where both are one and the same constant.

    >>> ccc(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 3.0, 4.0]))
    tensor(0.5714)
    """
    covariance = ((estimate - estimate.mean()) * (score - score.mean())).mean()
    spread = estimate.var(correction=0) + score.var(correction=0) + (estimate.mean() - score.mean()).square()
    return 2 * covariance / spread


def pearson(estimate: Tensor, score: Tensor) -> Tensor:
    """Pearson's correlation r, -1..1; NaN where either is constant.

    >>> pearson(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 3.0, 4.0]))
    tensor(1.)
    """
    x, y = estimate - estimate.mean(), score - score.mean()
    return (x * y).mean() / (x.square().mean() * y.square().mean()).sqrt()


METRICS = {"mae": mae, "rmse": rmse, "ccc": ccc, "pearson": pearson}


class WindowScores(NamedTuple):
    """Scores of windows and their keys, columns of the same length, sorted by key, no key twice."""

    video: Tensor
    window: Tensor
    estimate: Tensor
    score: Tensor


_COLUMNS = {
    "videos": torch.int64,
    "windows": torch.int64,
    "estimates": torch.float32,
    "scores": torch.float32,
}


class VideoMetrics(Metric):
    """MAE, RMSE, CCC and Pearson's r over videos, from scores of windows.

    A video's estimate is the mean over its windows, which may have come through different processes. Scores
    are keyed by (video, window), so a window that a sampler pads or repeats counts once.

    >>> metric = VideoMetrics()
    >>> metric.update(
    ...     video=torch.tensor([0, 0, 1, 1]),
    ...     window=torch.tensor([0, 1, 0, 0]),
    ...     estimate=torch.tensor([10.0, 14.0, 3.0, 3.0]),
    ...     score=torch.tensor([11.0, 11.0, 5.0, 5.0]),
    ... )
    >>> metric.compute()["mae"]
    tensor(1.5000, dtype=torch.float64)
    """

    full_state_update = False
    higher_is_better = None
    is_differentiable = False

    videos: list[Tensor]
    windows: list[Tensor]
    estimates: list[Tensor]
    scores: list[Tensor]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for state in _COLUMNS:
            self.add_state(state, [], dist_reduce_fx="cat")

    def sync(self, *arguments: Any, **settings: Any) -> None:
        """Gather the windows of all processes. One that has seen none takes part with empty columns."""
        for state, dtype in _COLUMNS.items():
            if not len(getattr(self, state)):
                setattr(self, state, [torch.empty(0, dtype=dtype, device=self.device)])
        super().sync(*arguments, **settings)

    def update(self, video: Tensor, window: Tensor, estimate: Tensor, score: Tensor) -> None:
        """Add windows, all arguments of shape ``(B,)``; estimate and score in points."""
        self.videos.append(video)
        self.windows.append(window)
        self.estimates.append(estimate.float())
        self.scores.append(score.float())

    def window_scores(self) -> WindowScores:
        """All windows seen so far, on the CPU; those of all processes where they are synchronised."""
        video, window, estimate, score = (
            dim_zero_cat(state).cpu() if len(state) else torch.empty(0)
            for state in (self.videos, self.windows, self.estimates, self.scores)
        )
        keys, places = torch.stack([video, window], dim=1).unique(dim=0, return_inverse=True)
        first = torch.full((len(keys),), len(places)).scatter_reduce(
            0, places, torch.arange(len(places)), "amin"
        )
        return WindowScores(keys[:, 0], keys[:, 1], estimate[first], score[first])

    def compute(self) -> dict[str, Tensor]:
        """The metrics by name, float64 scalars."""
        windows = self.window_scores()
        _, place = windows.video.unique(return_inverse=True)
        counts = torch.bincount(place)
        estimate = torch.bincount(place, windows.estimate.double()) / counts
        score = torch.bincount(place, windows.score.double()) / counts
        return {name: metric(estimate, score) for name, metric in METRICS.items()}
