"""Winograd's minimal filtering along time, for the first convolution in float32 on a CPU.

Four frames of its output take ten multiplications for each weight of a frame instead of 28: those of two
polynomials' values at ten points. Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural
Networks", CVPR 2016.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

TILE = 4  # frames of output that are computed together
_KERNEL = 7
_SEEN = TILE + _KERNEL - 1  # frames of input that a tile sees
# small numbers, so that rounding stays small: float32's, ten times
_POINTS = np.array([0, 1, -1, 2, -2, 0.5, -0.5, 1.5, -1.5])  # and infinity
_ONE = 1  # place of the point 1


def _values(coefficients: int) -> np.ndarray:
    """Of a polynomial's coefficients at the points, ``(10, coefficients)``."""
    at_infinity = np.eye(coefficients)[-1]
    return np.vstack([np.vander(_POINTS, coefficients, increasing=True), at_infinity])


_OF_FRAMES = np.linalg.inv(_values(_SEEN)).T
_SCALE = np.abs(_OF_FRAMES).max(axis=1, keepdims=True)


def point_kernels(weight: Tensor) -> Tensor:
    """Weights for `convolved`, ``(10, planes, C, kh, kw)``, of one of ``(planes, C, 7, kh, kw)``."""
    matrix = torch.from_numpy(_values(_KERNEL) * _SCALE).to(weight.device)
    kernels = torch.einsum("pk,ockhw->pohwc", matrix, weight.double()).to(weight.dtype)
    return kernels.contiguous().movedim(4, 2)  # channels last in memory


def convolved(frames: Tensor, kernels: Tensor, bias: Tensor) -> Tensor:
    """Convolution with stride 2 and padding 3 in space, without padding in time.

    Args:
        frames: ``(B, 4n + 6, H, W, C)``.
        kernels: of `point_kernels`.
        bias: ``(planes,)``.

    Returns:
        ``(B, 4n, H / 2, W / 2, planes)``.
    """
    to_points = torch.from_numpy(_OF_FRAMES / _SCALE).to(frames)
    from_points = torch.from_numpy(_values(TILE).T).to(frames)
    windows = frames.flatten(2).unfold(1, _SEEN, TILE).transpose(2, 3)  # (B, n, 10, H * W * C)
    points = (to_points @ windows).unflatten(3, frames.shape[2:]).flatten(0, 1)  # (B * n, 10, H, W, C)
    products = [
        # what is added at the point 1 is added to all frames
        functional.conv2d(
            points[:, point].movedim(3, 1), kernel, bias if point == _ONE else None, stride=2, padding=3
        ).movedim(1, 3)
        for point, kernel in enumerate(kernels)
    ]
    maps = torch.stack(products)  # (10, B * n, H / 2, W / 2, planes)
    tiles = (from_points @ maps.flatten(1)).view(TILE, len(frames), -1, *maps.shape[2:])
    return tiles.movedim(0, 2).flatten(1, 2)
