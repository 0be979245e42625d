"""Winograd's minimal filtering along time, for the first convolution in float32 on a CPU.

Eight frames of its output take 14 multiplications for each weight of a frame instead of 56: those of two
polynomials' values at 14 points. The weight's gradient takes as many, for the same products read backwards.
What is not finite spoils its tile, and PyTorch's setting to round convolutions to bfloat16 spoils all.
Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.polynomial.polynomial import polyfromroots
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_weight

TILE = 8  # frames of output that are computed together
_KERNEL, _PADDING = 7, 3
SEEN = TILE + _KERNEL - 1  # frames of input that a tile sees; and as many points
_PIXELS_AT_ONCE = TILE * 224 * 224  # so that what comes of them stays in a cache
# found by a search for small rounding errors: 1.5e-5 of noise, 4e-6 of films, where float32 has 5e-7
_POINTS = np.array([0, *(sign * point for point in (1 / 3, 0.6, 5 / 6, 1, 1.8, 3.5) for sign in (1, -1))])
_ONE = 7  # place of the point 1; infinity is the last


def _values(coefficients: int) -> np.ndarray:
    """Of a polynomial's coefficients at the points, ``(14, coefficients)``."""
    at_infinity = np.eye(coefficients)[-1]
    return np.vstack([np.vander(_POINTS, coefficients, increasing=True), at_infinity])


def _interpolating() -> np.ndarray:
    """Coefficients of the polynomials that are 1 at one of the points and 0 at the others, ``(14, 14)``."""
    others = [np.delete(_POINTS, place) for place in range(len(_POINTS))]
    finite = [polyfromroots(o) / np.prod(point - o) for point, o in zip(_POINTS, others, strict=True)]
    return np.vstack([np.pad(finite, ((0, 0), (0, 1))), polyfromroots(_POINTS)])


_OF_FRAMES = _interpolating()
_SCALE = np.abs(_OF_FRAMES).max(axis=1, keepdims=True)
_TO_POINTS, _OF_KERNEL, _OF_OUTPUT = _OF_FRAMES / _SCALE, _values(_KERNEL) * _SCALE, _values(TILE)


def fills_tiles(frames: int) -> bool:
    """Whether tiles are computed for few frames that are not there; else plain convolution is as fast."""
    return TILE * -(-frames // TILE) <= 1.3 * frames


def parts(clips: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """What to compute together of ``(B, C, T, H, W)``, whose convolution has padding in time.

    Yields:
        Clips; frames of the output, whole tiles of them; and what these see, ``(b, 8n + 6, H, W, C)``.
    """
    at_once = max(_PIXELS_AT_ONCE // (TILE * clips.shape[3] * clips.shape[4]), 1)  # tiles
    of_clip = -(-clips.shape[2] // TILE)
    number, frames = max(at_once // of_clip, 1), TILE * min(at_once, of_clip)
    for clip in range(0, clips.shape[0], number):
        for first in range(0, clips.shape[2], frames):
            last = min(first + frames, TILE * of_clip)
            some, before = slice(clip, clip + number), max(_PADDING - first, 0)
            seen = clips[some, :, max(first - _PADDING, 0) : last + _PADDING].movedim(1, 4)
            after = last - first + 2 * _PADDING - before - seen.shape[1]
            yield some, slice(first, last), functional.pad(seen, (0, 0, 0, 0, 0, 0, before, after))


def point_kernels(weight: Tensor) -> Tensor:
    """Weights for `convolved`, ``(14, planes, C, kh, kw)``, of one of ``(planes, C, 7, kh, kw)``."""
    matrix = torch.from_numpy(_OF_KERNEL).to(weight.device)
    kernels = torch.einsum("pk,ockhw->pohwc", matrix, weight.double()).to(weight.dtype)
    return kernels.contiguous().movedim(4, 2)  # channels last in memory


def convolved(frames: Tensor, kernels: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolution with stride 2 and padding 3 in space, without padding in time.

    Args:
        frames: ``(B, 8n + 6, H, W, C)``.
        kernels: of `point_kernels`.
        bias: ``(planes,)``.

    Returns:
        ``(B, 8n, H / 2, W / 2, planes)``.
    """
    points = _at_points(frames)
    height, width = (-(-side // 2) for side in points.shape[3:])
    maps = frames.new_empty(SEEN, points.shape[1], height, width, kernels.shape[1])
    for point, (values, kernel) in enumerate(zip(points, kernels, strict=True)):
        added = bias if point == _ONE else None  # at the point 1, and so to all frames
        maps[point] = functional.conv2d(values, kernel, added, stride=2, padding=3).movedim(1, 3)
    tiles = torch.from_numpy(_OF_OUTPUT.T).to(maps) @ maps.flatten(1)
    return tiles.view(TILE, len(frames), -1, *maps.shape[2:]).movedim(0, 2).flatten(1, 2)


def weight_gradients(frames: Tensor, gradient: Tensor, kernel: Sequence[int]) -> Tensor:
    """Of the `point_kernels`, ``(14, planes, C, kh, kw)``.

    Args:
        frames: those that were convolved.
        gradient: of what came out, ``(B, T, H / 2, W / 2, planes)``; frames that are missing have none.
        kernel: ``(kh, kw)``.
    """
    missing = frames.shape[1] - _KERNEL + 1 - gradient.shape[1]
    gradient = functional.pad(gradient, (0, 0, 0, 0, 0, 0, 0, missing)) if missing else gradient
    tiles = gradient.unflatten(1, (-1, TILE)).movedim(2, 0)
    maps = (torch.from_numpy(_OF_OUTPUT).to(tiles) @ tiles.flatten(1)).view(SEEN, -1, *tiles.shape[3:])
    shape = (maps.shape[4], frames.shape[4], *kernel)
    return torch.stack(
        [
            conv2d_weight(values, shape, of_values.movedim(3, 1), stride=2, padding=3)
            for values, of_values in zip(_at_points(frames), maps, strict=True)
        ]
    )


def of_weight(gradients: Tensor) -> Tensor:
    """The gradient of a weight, from that of its `point_kernels`."""
    return torch.einsum("pk,pochw->ockhw", torch.from_numpy(_OF_KERNEL).to(gradients), gradients)


def _at_points(frames: Tensor) -> Tensor:
    """``(B, 8n + 6, H, W, C)`` to ``(14, B * n, C, H, W)``, with the channels last in memory."""
    windows = frames.unfold(1, SEEN, TILE).movedim(5, 0)  # (14, B, n, H, W, C)
    points = torch.from_numpy(_TO_POINTS).to(frames) @ windows.flatten(1)
    return points.view(SEEN, -1, *windows.shape[3:]).movedim(4, 2)
