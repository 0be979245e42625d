"""Importance from gradients of the score, through Captum."""

import torch
from captum.attr import IntegratedGradients, LayerActivation, LayerAttribution, LayerGradCam
from torch import Tensor

from depression_vr.explaining.methods import Settings, ViewMaps
from depression_vr.explaining.stages import HasStages, chosen_stage
from depression_vr.learning.score_regression import ScoreRegression


def grad_cam(module: ScoreRegression, views: tuple[Tensor, ...], settings: Settings) -> ViewMaps:
    """Grad-CAM over space and time, signed: above 0 where the maps of one stage raise the estimate.

    Source: Selvaraju et al., "Grad-CAM", ICCV 2017; without its ReLU, for an estimate has two sides. A view
    whose stream the network does not use gets 0.
    """

    def score(*given: Tensor) -> Tensor:
        return _points(module, given)

    network = module.network
    assert isinstance(network, HasStages)
    maps = []
    for view, stages in zip(views, network.stages_by_view(), strict=True):
        if not stages:
            maps.append(torch.zeros_like(view[:, 0]))
            continue
        with torch.no_grad():
            outputs = LayerActivation(score, list(stages)).attribute(views)
        layer = stages[chosen_stage(dict(enumerate(outputs, 1)), settings.stage) - 1]
        found = LayerGradCam(score, layer).attribute(views)
        shown = LayerAttribution.interpolate(found, tuple(view.shape[2:]), "trilinear")
        maps.append(shown.squeeze(1).detach())
    return ViewMaps(tuple(maps))


def integrated_gradients(module: ScoreRegression, views: tuple[Tensor, ...], settings: Settings) -> ViewMaps:
    """Integrated gradients in points, signed: their sum is the unbounded score less that of the baseline.

    The baseline is a clip of one colour, each view's mean: eyes and brows are dark, and from a black baseline
    they would have no way to count. Source: Sundararajan et al., "Axiomatic Attribution for Deep Networks",
    ICML 2017.
    """

    def score(*given: Tensor) -> Tensor:
        return _points(module, given)

    baselines = tuple(view.mean((2, 3, 4), keepdim=True).expand_as(view) for view in views)
    found, missed = IntegratedGradients(score).attribute(
        views,
        baselines,
        n_steps=settings.steps,
        internal_batch_size=max(settings.at_once, len(views[0])),
        return_convergence_delta=True,
    )
    return ViewMaps(tuple(each.sum(1).detach() for each in found), missed=missed.detach())


def _points(module: ScoreRegression, views: tuple[Tensor, ...]) -> Tensor:
    """Unbounded scores in points, ``(B,)``: a score that is cut at 0 would have no gradient."""
    return module.scale.unbounded_score(module.network(*views).float())
