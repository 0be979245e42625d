"""PLEGDF: relations between local regions of the face enhance the global features.

Relation-aware global attention (Zhang et al., CVPR 2020), with relations taken across the four quadrants of
a map instead of within the whole map. Source: see the package.
"""

import torch
from torch import Tensor, nn

from depression_vr.models.layers import ConvNorm

QUADRANTS = 4
# the ordered pairs (i, j): for every quadrant the three others, in order
_OF, _TO = zip(*((i, j) for i in range(QUADRANTS) for j in range(QUADRANTS) if i != j), strict=True)


def to_quadrants(x: Tensor) -> Tensor:
    """Quadrants of every frame with their positions in a row: ``(B, C, T, H, W)`` to ``(B * T, 4, C, N)``.

    N is ``H/2 * W/2``; the quadrants are top left, top right, bottom left, bottom right.
    """
    tiles = x.unflatten(4, (2, -1)).unflatten(3, (2, -1))  # (B, C, T, 2, H/2, 2, W/2)
    return tiles.permute(0, 2, 3, 5, 1, 4, 6).flatten(5).flatten(2, 3).flatten(0, 1)


def from_quadrants(quadrants: Tensor, frames: int, size: tuple[int, int]) -> Tensor:
    """Put quadrants back in place: ``(B * T, 4, C, N)`` to ``(B, C, T, H, W)``; undoes `to_quadrants`."""
    height, width = size[0] // 2, size[1] // 2
    tiles = quadrants.unflatten(3, (height, width)).unflatten(1, (2, 2)).unflatten(0, (-1, frames))
    # (B, T, 2, 2, C, H/2, W/2) -> (B, C, T, 2, H/2, 2, W/2)
    return tiles.permute(0, 4, 1, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)


class PositionNorm(nn.Sequential):
    """The same linear map of the channels of every position, without bias, then batch norm.

    ``(B, in, N)`` to ``(B, out, N)``: what a 1x1x1 convolution does on a grid of N positions.
    """

    def __init__(self, in_planes: int, out_planes: int, norm_momentum: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_planes, out_planes, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm1d(out_planes, momentum=norm_momentum)


class RegionRelations(nn.Module):
    """Weighs every position of a map by what relates it to the other quadrants of its frame.

    For an ordered pair of quadrants (i, j) the affinity is ``A = theta(p_i)^T phi(p_j)``, N x N per frame.
    Position n of quadrant i gets both directions of relation, row n and column n of A (the column is about
    position n of quadrant j), which a linear map joins to N channels. That map is linear in A, and A is a
    product of thin matrices, so A is never built: ``U A^T + V A = (U phi^T) theta + (V theta^T) phi``, where
    the brackets are N x C/8.

    Args:
        planes: channels C of the map.
        size: height and width of the map, both even; the maps over relations are tied to it.
        reduction: channels are divided by this for theta and phi, and relations for the map.
        norm_momentum: weight of a new batch in the running statistics, 0..1.

    Raises:
        ValueError: a side of the map is odd.
    """

    def __init__(self, planes: int, size: tuple[int, int], reduction: int, norm_momentum: float) -> None:
        super().__init__()
        if size[0] % 2 or size[1] % 2:
            raise ValueError(f"a map of {size[0]}x{size[1]} positions has no four equal quadrants")
        self.size = size
        positions = (size[0] // 2) * (size[1] // 2)
        inner = max(planes // reduction, 1)
        joined = max(3 * positions // reduction, 1)
        self.projections = ConvNorm(planes, 2 * inner, 1, 1, norm_momentum)  # theta and phi
        self.relation = PositionNorm(2 * positions, positions, norm_momentum)
        self.join = PositionNorm(3 * positions, joined, norm_momentum)
        self.weight = PositionNorm(joined, 1, norm_momentum)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, T, H, W)``, weighed; the same shape."""
        return x * from_quadrants(self.weights(x), x.shape[2], self.size)

    def weights(self, x: Tensor) -> Tensor:
        """One weight in 0..1 for every position of every quadrant, ``(B * T, 4, 1, N)``."""
        relations = self.relations(x)
        joined = self.relu(self.join(relations.flatten(2, 3).flatten(0, 1)))  # (B * T * 4, 3N/8, N)
        return self.weight(joined).sigmoid().unflatten(0, (-1, QUADRANTS))

    def relations(self, x: Tensor) -> Tensor:
        """Relations of each quadrant's positions to each other quadrant, ``(B * T, 4, 3, N, N)``.

        The last dimension is the position within the quadrant, the one before it the relation's channel.
        """
        theta, phi = to_quadrants(self.relu(self.projections(x))).chunk(2, dim=2)  # (B * T, 4, C/8, N)
        rows, columns = self.relation.conv.weight.squeeze(2).chunk(2, dim=1)  # U and V, N x N
        to_phi, to_theta = (rows @ phi.mT, columns @ theta.mT)  # (B * T, 4, N, C/8)
        brackets = torch.cat([to_phi[:, _TO], to_theta[:, _OF]], dim=3)  # (B * T, 12, N, C/4)
        pairs = brackets @ torch.cat([theta[:, _OF], phi[:, _TO]], dim=2)  # (B * T, 12, N, N)
        related = self.relu(self.relation.norm(pairs.flatten(0, 1)))
        return related.unflatten(0, (-1, QUADRANTS, QUADRANTS - 1))
