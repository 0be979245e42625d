"""The baseline of the relations between regions: every ordered pair by itself, as they are described."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.plegdf_fglscf.relations import PositionNorm, RegionRelations

PAIRS = tuple((i, j) for i in range(4) for j in range(4) if i != j)
"""Ordered pairs of quadrants, counted by rows."""


class NaiveRelations(nn.Module):
    """Builds both projections and the affinities of each of the twelve pairs anew, on the quadrant's grid.

    Batch norm takes its statistics over all pairs together, as ours does; so what pairs share is joined in
    front of it. It meets every quadrant three times, which changes the running variance of the projections
    by another correction of Bessel's, and nothing else.

    Args:
        relations: whose layers it takes over: parameters and buffers are the same and have the same names.
    """

    def __init__(self, relations: RegionRelations) -> None:
        super().__init__()
        self.projections = relations.projections
        self.relation = relations.relation
        self.join = relations.join
        self.weight = relations.weight

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, T, H, W)``, weighed; the same shape."""
        quadrants = [half for row in x.chunk(2, dim=3) for half in row.chunk(2, dim=4)]
        stacked = [_directions(pair) for pair in self._projected(quadrants)]  # 12 of (B, 2N, T, H/2, W/2)
        related = _normed(self.relation, stacked).chunk(len(PAIRS))
        joined = _normed(self.join, [torch.cat(related[3 * i : 3 * i + 3], dim=1) for i in range(4)])
        weights = _normed(self.weight, [joined], rectify=False).sigmoid().chunk(4)
        first, second, third, last = (p * weight for p, weight in zip(quadrants, weights, strict=True))
        rows = torch.cat([first, second], dim=4), torch.cat([third, last], dim=4)
        return torch.cat(rows, dim=3)

    def _projected(self, quadrants: Sequence[Tensor]) -> Sequence[Tensor]:
        """theta(p_i) above phi(p_j) of every pair, ``(B, 2C/8, T, H/2, W/2)`` each."""
        theta, phi = self.projections.conv.weight.chunk(2)
        pairs = [
            torch.cat([functional.conv3d(quadrants[i], theta), functional.conv3d(quadrants[j], phi)], dim=1)
            for i, j in PAIRS
        ]
        return self.projections.norm(torch.cat(pairs)).relu().chunk(len(PAIRS))


def with_naive_relations(network: PlegdfFglscf) -> PlegdfFglscf:
    """A copy of a network with the baseline in place of its relation modules; the weights are the same."""
    copied = copy.deepcopy(network)
    for parent in list(copied.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, RegionRelations):
                setattr(parent, name, NaiveRelations(child))
    return copied


def _directions(pair: Tensor) -> Tensor:
    """Row and column n of the affinities as 2N channels of position n, from theta above phi of a pair."""
    theta, phi = pair.flatten(3).chunk(2, dim=1)  # (B, C/8, T, N) each
    affinities = theta.permute(0, 2, 3, 1) @ phi.permute(0, 2, 1, 3)  # (B, T, N, N)
    rows, columns = affinities.permute(0, 3, 1, 2), affinities.permute(0, 2, 1, 3)  # channels first
    return torch.cat([rows, columns], dim=1).unflatten(3, pair.shape[3:])


def _normed(layer: PositionNorm, grids: Sequence[Tensor], *, rectify: bool = True) -> Tensor:
    """A 1x1x1 convolution of every grid by itself, then batch norm of all, and ReLU."""
    kernel = layer.conv.weight[..., None, None]
    maps = torch.cat([functional.conv3d(grid, kernel) for grid in grids])
    normed = layer.norm(maps.flatten(2)).view_as(maps)
    return normed.relu_() if rectify else normed
