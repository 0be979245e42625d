"""Scales, losses and video-level metrics."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from depression_vr.learning.loss import RootMeanSquaredError, ScoreLoss
from depression_vr.learning.metrics import VideoMetrics, ccc, pearson
from depression_vr.learning.scale import ScoreScale


def test_the_released_scale_is_63_times_relu() -> None:
    scores = ScoreScale().score(torch.tensor([-0.5, 0.0, 0.5, 1.2]))
    torch.testing.assert_close(scores, torch.tensor([0.0, 0.0, 31.5, 75.6]))


def test_scores_are_cut_at_the_maximum_when_asked() -> None:
    assert ScoreScale(clip=True).score(torch.tensor([1.2])).item() == 63


def test_a_standardised_scale_has_the_training_mean_at_zero() -> None:
    scale = ScoreScale(standardise=True)
    scale.fit(torch.tensor([10.0, 20.0, 30.0]))
    assert scale.score(torch.zeros(1)).item() == 20
    torch.testing.assert_close(scale.target(torch.tensor(20 + math.sqrt(200 / 3))), torch.tensor(1.0))


@pytest.mark.parametrize("maximum", [63, 1])
def test_a_whole_number_as_maximum_keeps_the_deviation_whole(maximum: int) -> None:
    scale = ScoreScale(maximum, standardise=True)
    scale.fit(torch.tensor([0.25, 0.75]))
    assert scale.score(torch.tensor([1.0])).item() == 0.75


def test_a_standardised_scale_survives_equal_labels() -> None:
    scale = ScoreScale(standardise=True)
    scale.fit(torch.tensor([7.0, 7.0]))
    assert scale.target(torch.tensor([7.0])).isfinite().all()


def test_the_paper_loss_is_squared_error_in_points() -> None:
    loss = ScoreLoss([nn.MSELoss()], compare="score")
    y, score = torch.tensor([0.5, -0.1]), torch.tensor([30.0, 0.0])
    assert loss(y, score, ScoreScale()).item() == pytest.approx(((31.5 - 30) ** 2 + 6.3**2) / 2)


def test_the_updated_loss_adds_smooth_l1_between_y_and_the_share_of_63() -> None:
    loss = ScoreLoss([nn.MSELoss(), nn.SmoothL1Loss()], compare="y")
    error = 0.25
    y, score = torch.tensor([0.5 + error]), torch.tensor([31.5])
    assert loss(y, score, ScoreScale()).item() == pytest.approx(error**2 + 0.5 * error**2)


def test_a_windows_score_counts_once_whatever_the_batches() -> None:
    generator = np.random.default_rng(0)
    video = np.repeat(np.arange(6), [1, 2, 3, 4, 5, 6])
    window = np.concatenate([np.arange(n) for n in range(1, 7)])
    estimate, label = generator.normal(15, 9, 21), generator.integers(0, 64, 6)[video]
    means = np.array([estimate[video == v].mean() for v in range(6)])
    expected_mae = np.abs(means - label[np.unique(video, return_index=True)[1]]).mean()
    for batch, order in ((1, np.arange(21)), (4, generator.permutation(21)), (21, np.arange(21)[::-1])):
        metric = VideoMetrics()
        padded = np.concatenate([order, order[:3]])  # as a distributed sampler pads
        for first in range(0, len(padded), batch):
            rows = padded[first : first + batch]
            metric.update(*(torch.tensor(column[rows]) for column in (video, window, estimate, label)))
        assert metric.compute()["mae"].item() == pytest.approx(expected_mae, abs=1e-5)


def test_metrics_agree_with_numpy() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(15, 9, 40), generator.normal(18, 12, 40)
    covariance = np.cov(x, y, ddof=0)
    lin = 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + (x.mean() - y.mean()) ** 2)
    assert ccc(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(lin)
    assert pearson(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_a_constant_estimate_has_no_concordance_and_no_correlation() -> None:
    x, y = torch.full((5,), 15.0), torch.arange(5.0)
    assert ccc(x, y).item() == 0
    assert pearson(x, y).isnan()


def test_a_factor_of_one_makes_y_the_score() -> None:
    scale = ScoreScale(factor=1)
    y = torch.tensor([-3.0, 0.0, 17.5, 70.0])
    torch.testing.assert_close(scale.unbounded_score(y), y)
    torch.testing.assert_close(scale.target(y), y)
    torch.testing.assert_close(scale.score(y), torch.tensor([0.0, 0.0, 17.5, 70.0]))
    torch.testing.assert_close(ScoreScale(factor=1, clip=True).score(y), torch.tensor([0.0, 0.0, 17.5, 63.0]))


@pytest.mark.parametrize("settings", [{}, {"factor": 1}, {"maximum": 24}], ids=str)
def test_targets_and_scores_undo_each_other(settings: dict[str, float]) -> None:
    scale, score = ScoreScale(**settings), torch.tensor([0.0, 5.0, 24.0])  # type: ignore[arg-type]
    torch.testing.assert_close(scale.unbounded_score(scale.target(score)), score)


def test_the_factor_travels_with_the_weights() -> None:
    other = ScoreScale()
    other.load_state_dict(ScoreScale(factor=1).state_dict())
    assert other.score(torch.tensor([7.0])).item() == 7


def test_the_root_of_the_mean_squared_error_and_its_gradient_are_those_of_the_formula() -> None:
    estimate = torch.tensor([1.0, 7.0, 3.0, 10.0], requires_grad=True)
    target = torch.tensor([2.0, 2.0, 5.0, 10.0])
    loss = RootMeanSquaredError()(estimate, target)
    loss.backward()
    rmse = math.sqrt((1 + 25 + 4 + 0) / 4)
    assert loss.item() == pytest.approx(rmse)
    expected = [error / (4 * rmse) for error in (-1, 5, -2, 0)]
    torch.testing.assert_close(estimate.grad, torch.tensor(expected))


@pytest.mark.parametrize("clips", [1, 3])
def test_a_perfect_estimate_has_no_loss_and_a_gradient_of_zero(clips: int) -> None:
    estimate = torch.full((clips,), 20.0, requires_grad=True)
    loss = RootMeanSquaredError()(estimate, torch.full((clips,), 20.0))
    loss.backward()
    assert loss.item() == 0
    assert estimate.grad is not None
    assert estimate.grad.tolist() == [0.0] * clips


def test_the_root_of_the_mean_squared_error_is_in_points_whatever_the_scale() -> None:
    loss = ScoreLoss([RootMeanSquaredError()], compare="score")
    y, score = torch.tensor([12.0, 20.0]), torch.tensor([10.0, 20.0])
    assert loss(y, score, ScoreScale(factor=1)).item() == pytest.approx(math.sqrt(2))
    assert loss(y / 63, score, ScoreScale()).item() == pytest.approx(math.sqrt(2))
