"""Affine maps of colours and their normalisation, a few frames at a time, with the colours last in memory."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@functools.cache
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """These numbers on the device; they go there once, since every such copy waits for a GPU's queue."""
    return torch.tensor(values, device=device)


def white(clips: Tensor) -> int:
    """The value of a full colour: 255 of uint8, 1 of float."""
    return 255 if clips.dtype == torch.uint8 else 1


@dataclass(frozen=True)
class ColourMap:
    """An affine map of the colours of every clip, on the scale 0..1, and what it is clipped to.

    Attributes:
        matrix: from colours to colours, ``(B, 3, 3)``.
        shift: added to them, ``(B, 3)``.
        low: the smallest value per colour, ``(3,)``.
        high: the largest value per colour, ``(3,)``.
    """

    matrix: Tensor
    shift: Tensor
    low: Tensor
    high: Tensor

    def __call__(self, clips: Tensor, mirrored: Tensor | None = None) -> Tensor:
        """Map ``(B, T, 3, H, W)``, uint8 0..255 or float 0..1, to float of the same shape, colours last.

        Args:
            clips: the clips.
            mirrored: which of them are mirrored left and right in passing, ``(B,)``; None for none.
        """
        pixels = _colours_last(clips)
        mapped = torch.empty(pixels.shape, device=pixels.device)
        width = pixels.shape[3]
        affine = torch.cat([self.matrix / white(clips), self.shift[..., None]], dim=2)
        low, high = self.low.repeat(width), self.high.repeat(width)
        for clip, rows, out in _rows(pixels, mapped, mirrored):
            product = _product(rows.view(-1, width, 3), affine[clip])
            torch.clamp(product.view(rows.shape), low, high, out=out)
        return mapped.permute(0, 1, 4, 2, 3)

    def normalised(self, mean: Tensor, std: Tensor) -> "ColourMap":
        """The map whose result is this one's less a mean, divided by a deviation per colour, ``(3,)``."""
        return replace(
            self,
            matrix=self.matrix / std[:, None],
            shift=(self.shift - mean) / std,
            low=(self.low - mean) / std,
            high=(self.high - mean) / std,
        )


def mean_colours(clips: Tensor) -> Tensor:
    """Mean colours of ``(B, T, 3, H, W)``, uint8, float32 or float64: ``(B, 3)`` on the scale 0..1."""
    rows = _colours_last(clips).flatten(1, 2)  # of all frames of a clip
    if rows.device.type != "cpu":
        return rows.mean((1, 2), dtype=torch.float32) / white(clips)
    exact = cv2.CV_32S if rows.dtype == torch.uint8 else cv2.CV_64F
    # in a fifth of PyTorch's time
    sums = [cv2.reduce(clip.numpy(), 0, cv2.REDUCE_SUM, dtype=exact).sum((0, 1)) for clip in rows]
    return torch.tensor(np.array(sums) / (rows[0, ..., 0].numel() * white(clips)), dtype=torch.float32)


def scaled(clips: Tensor, scale: Tensor, offset: Tensor, mirrored: Tensor | None = None) -> Tensor:
    """Colours times ``scale`` plus ``offset``, ``(3,)``; takes and gives what a `ColourMap` does."""
    pixels = _colours_last(clips)
    result = torch.empty(pixels.shape, device=pixels.device)
    width = pixels.shape[3]
    scale, offset = scale.repeat(width), offset.repeat(width)
    for _, rows, out in _rows(pixels, result, mirrored):
        torch.addcmul(offset, rows, scale, out=out)
    return result.permute(0, 1, 4, 2, 3)


def _colours_last(clips: Tensor) -> Tensor:
    """``(B, T, 3, H, W)`` as ``(B, T, H, W, 3)``, in memory too."""
    return clips.permute(0, 1, 3, 4, 2).contiguous()


def _rows(
    pixels: Tensor, results: Tensor, mirrored: Tensor | None = None
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Rows of pixels as float, ``(n, W * 3)``, and where their results belong, clip by clip.

    A CPU is given one frame, which stays in its cache, a GPU the whole clip. The rows are valid until the
    next are asked for.
    """
    _, length, height, width, colours = pixels.shape
    frames = 1 if pixels.device.type == "cpu" else length
    rows = torch.empty(frames * height, width * colours, device=pixels.device)
    for clip, chunks in enumerate(zip(pixels, results, strict=True)):
        sources, targets = (chunk.view(-1, *rows.shape).unbind() for chunk in chunks)
        for source, target in zip(sources, targets, strict=True):
            rows.copy_(source if mirrored is None else _mirrored(source, mirrored[clip]))
            yield clip, rows, target


def _mirrored(rows: Tensor, mirrored: Tensor) -> Tensor:
    """Rows ``(n, W * 3)``, left and right exchanged where the number says so."""
    pixels = rows.unflatten(1, (-1, 3))
    if rows.device.type == "cpu":
        return torch.from_numpy(cv2.flip(pixels.numpy(), 1)).view(rows.shape) if mirrored else rows
    # what it says is not known here, unless one waits for the GPU
    return torch.where(mirrored, pixels.flip(1), pixels).flatten(1)


def _product(pixels: Tensor, affine: Tensor) -> Tensor:
    """Colours ``(n, W, 3)`` times a matrix, plus a shift: ``(3, 4)``."""
    if pixels.device.type != "cpu":
        return functional.linear(pixels, affine[:, :3], affine[:, 3])
    # PyTorch's product takes as long for a matrix of 3x3 as for one of 24x24: three times as long as this
    return torch.from_numpy(cv2.transform(pixels.numpy(), affine.numpy()))
