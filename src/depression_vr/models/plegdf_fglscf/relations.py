"""PLEGDF: relations between local regions of the face enhance the global features.

Relation-aware global attention (Zhang et al., CVPR 2020), with relations taken across the four quadrants of
a map instead of within the whole map. Source: see the package.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models.layers import ConvNorm

QUADRANTS = 4
OTHERS = QUADRANTS - 1
# the first other quadrant of every quadrant, the second of every one, the third
_OTHER_OF_PAIR = [other + (other >= of) for other in range(OTHERS) for of in range(QUADRANTS)]


def to_quadrants(x: Tensor) -> Tensor:
    """Quadrants of every frame with their positions in a row: ``(B, C, T, H, W)`` to ``(B * T, 4, C, N)``.

    N is ``H/2 * W/2``; the quadrants are top left, top right, bottom left, bottom right. The channels are
    last in memory, as they are in the maps of a network that is trained.
    """
    tiles = x.unflatten(4, (2, -1)).unflatten(3, (2, -1))  # (B, C, T, 2, H/2, 2, W/2)
    return tiles.permute(0, 2, 3, 5, 4, 6, 1).flatten(4, 5).flatten(2, 3).flatten(0, 1).mT


def from_quadrants(quadrants: Tensor, frames: int, size: tuple[int, int]) -> Tensor:
    """Put quadrants back in place: ``(B * T, 4, C, N)`` to ``(B, C, T, H, W)``; undoes `to_quadrants`."""
    height, width = size[0] // 2, size[1] // 2
    tiles = quadrants.unflatten(3, (height, width)).unflatten(1, (2, 2)).unflatten(0, (-1, frames))
    # (B, T, 2, 2, C, H/2, W/2) -> (B, C, T, 2, H/2, 2, W/2)
    return tiles.permute(0, 4, 1, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)


class PositionNorm(nn.Module):
    """The same linear map of the channels of every position, without bias, then batch norm.

    What a 1x1x1 convolution does on a grid of positions, and with its weight; computed as a matrix product.
    """

    def __init__(self, in_planes: int, out_planes: int, norm_momentum: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_planes, out_planes, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm1d(out_planes, momentum=norm_momentum)

    @property
    def matrix(self) -> Tensor:
        """Of the linear map, ``(out, in)``."""
        return self.conv.weight.squeeze(2)


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

    def forward(self, x: Tensor, seen: list[Tensor] | None = None) -> Tensor:
        """``(B, C, T, H, W)``, weighed; the same shape. The weights, ``(B, 1, T, H, W)``, go to ``seen``."""
        weights = from_quadrants(self.weights(x), x.shape[2], self.size)
        if seen is not None:
            seen.append(weights)
        return x * weights

    def weights(self, x: Tensor) -> Tensor:
        """One weight in 0..1 for every position of every quadrant, ``(B * T, 4, 1, N)``."""
        relations = self.relations(x)
        kernels = self.join.matrix.chunk(OTHERS, dim=1)
        first, second, third = map(functional.linear, relations.flatten(1, 3).unbind(), kernels)
        joined = self.relu(self.join.norm(first + second + third))  # (4 * B * T * N, 3N/8)
        weights = self.weight.norm(functional.linear(joined, self.weight.matrix)).sigmoid()
        return weights.view(relations.shape[1:4]).transpose(0, 1).unsqueeze(2)

    def relations(self, x: Tensor) -> Tensor:
        """Relations of each quadrant's positions to each other quadrant, ``(3, 4, B * T, N, N)``.

        The first dimension is the other quadrant, the last the relation's channel, the one before it the
        position within the quadrant.
        """
        maps = to_quadrants(self.relu(self.projections(x))).mT.transpose(0, 1)
        theta, phi = maps.chunk(2, dim=3)  # (4, B * T, N, C/8)
        rows, columns = self.relation.matrix.chunk(2, dim=1)  # U and V, N x N
        features = torch.cat([_repeated(theta), _of_others(phi)], dim=4)  # (3, 4, B * T, N, C/4)
        brackets = torch.cat([_of_others(rows @ phi), _repeated(columns @ theta)], dim=4)
        pairs = features @ brackets.mT  # (3, 4, B * T, N, N)
        return self.relu(self.relation.norm(pairs.flatten(0, 3))).view(pairs.shape)


def _repeated(quadrants: Tensor) -> Tensor:
    """What is of quadrants ``(4, ...)``, for each of their pairs ``(3, 4, ...)``."""
    return quadrants.expand(OTHERS, *quadrants.shape)


def _of_others(quadrants: Tensor) -> Tensor:
    """What is of the other quadrants, for each pair ``(3, 4, ...)``."""
    parts = quadrants.unbind()
    return torch.stack([parts[other] for other in _OTHER_OF_PAIR]).unflatten(0, (OTHERS, QUADRANTS))
