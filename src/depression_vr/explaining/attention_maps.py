"""Importance from the attention that networks compute themselves."""

import torch
from torch import Tensor
from torch.nn import functional

from depression_vr.explaining.methods import Settings, ViewMaps
from depression_vr.explaining.stages import chosen_stage
from depression_vr.learning.score_regression import ScoreRegression
from depression_vr.models.attention import Attention
from depression_vr.models.plegdf_fglscf.network import Related
from depression_vr.models.sta_drn import Attended


def attention(module: ScoreRegression, views: tuple[Tensor, ...], settings: Settings) -> ViewMaps:
    """How decided the attention of one stage of STA-DRN is, mean over its blocks; see `decision`."""
    with torch.no_grad():
        attended: Attended = module.network(*views, with_attention=True)
    fused = module.network.attention != "sta"
    stages = {
        number: torch.stack([decision(block, fused=fused) for block in blocks]).mean(0)
        for number, blocks in enumerate(attended.stages, 1)
    }
    found = stages[chosen_stage(stages, settings.stage)]
    return ViewMaps((on_grid(found, views[0]),))


def relations(module: ScoreRegression, views: tuple[Tensor, ...], settings: Settings) -> ViewMaps:
    """The weights that PLEGDF gives to the positions of the whole face for their relations, of one stage."""
    with torch.no_grad():
        related: Related = module.network(*views, with_attention=True)
    weights = related.relations[chosen_stage(related.relations, settings.stage)]
    face = on_grid(weights.squeeze(1), views[0])
    return ViewMaps((face, *map(torch.zeros_like, [face] * (len(views) - 1))))


def decision(attention: Attention, *, fused: bool = True) -> Tensor:
    """How far attention is from what it is on average over the clip, ``(B, T, H, W)`` in 0..1.

    Groups compete: the attention of all of them sums to 1 everywhere, so its mean says nothing about a
    position, and where one group has more another one has less. What tells positions apart is how far
    from evenly, over the clip, they are dealt: the root mean square over groups and channels of the
    deviation from the mean over positions.

    Args:
        attention: of one module.
        fused: whether the module multiplies temporal and spatial attention, as STA-DRN does; otherwise each
            weighs features of its own, and it is the root mean square of the deviations of both.
    """
    vectors = []
    if attention.temporal is not None:
        vectors.append(attention.temporal[..., None, None])
    if attention.spatial is not None:
        vectors.append(attention.spatial.unsqueeze(3))
    if fused and len(vectors) == 2:
        return _deviation(vectors[0] * vectors[1])
    deviations = torch.broadcast_tensors(*map(_deviation, vectors))
    return torch.stack(deviations).square().mean(0).sqrt()


def _deviation(weights: Tensor) -> Tensor:
    """Of ``(B, k, C / k, T, H, W)``: ``(B, T, H, W)``."""
    return (weights - weights.mean((3, 4, 5), keepdim=True)).square().mean((1, 2)).sqrt()


def on_grid(maps: Tensor, view: Tensor) -> Tensor:
    """Maps ``(B, T', H', W')`` on the grid of a view ``(B, 3, T, h, w)``: ``(B, T, h, w)``, trilinear."""
    return functional.interpolate(maps.unsqueeze(1), view.shape[2:], mode="trilinear").squeeze(1)
