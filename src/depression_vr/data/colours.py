"""Affine maps of colours and their normalisation, a few frames at a time, with the colours last in memory."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import torch
from torch import Tensor
from torch.nn import functional

_FRAMES_IN_CACHE = 2  # of a clip, on a CPU: 1.2 MB of 224x224 pixels


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
        matrices = self.matrix / white(clips)
        low, high = self.low.repeat(width), self.high.repeat(width)
        for clip, rows, out in _rows(pixels, mapped, mirrored):
            product = _product(rows.view(-1, width, 3), matrices[clip], self.shift[clip])
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
    """Mean colours of ``(B, T, 3, H, W)``, uint8 or float: ``(B, 3)`` on the scale 0..1."""
    pixels = _colours_last(clips)
    sums = torch.zeros(len(pixels), pixels[0, 0, 0].numel(), device=pixels.device)
    for clip, rows, _ in _rows(pixels, pixels):
        sums[clip] += rows.sum(0)
    return sums.unflatten(1, (-1, 3)).sum(1) / (pixels[0, ..., 0].numel() * white(clips))


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

    A CPU is given so few frames that they stay in its cache, a GPU the whole clip. The rows are valid until
    the next are asked for.
    """
    _, length, height, width, colours = pixels.shape
    frames = min(length, _FRAMES_IN_CACHE) if pixels.device.type == "cpu" else length
    cache = torch.empty(frames * height, width * colours, device=pixels.device)
    for clip in range(len(pixels)):
        chunks = zip(pixels[clip].split(frames), results[clip].split(frames), strict=True)
        for chunk, result in chunks:
            rows = cache[: len(chunk) * height]
            turned = chunk if mirrored is None else _mirrored(chunk, mirrored[clip])
            rows.copy_(turned.view(rows.shape))
            yield clip, rows, result.view(rows.shape)


def _mirrored(frames: Tensor, mirrored: Tensor) -> Tensor:
    """Frames ``(n, H, W, 3)``, left and right exchanged where the number says so."""
    if frames.device.type == "cpu":
        return frames.flip(2) if mirrored else frames
    # what it says is not known here, unless one waits for the GPU
    return torch.where(mirrored, frames.flip(2), frames)


def _product(pixels: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Colours ``(n, W, 3)`` times a matrix, plus a shift."""
    if pixels.device.type != "cpu":
        return functional.linear(pixels, matrix, shift)
    # PyTorch's product takes as long for a matrix of 3x3 as for one of 24x24: three times as long as this
    affine = torch.cat([matrix, shift[:, None]], dim=1)
    return torch.from_numpy(cv2.transform(pixels.numpy(), affine.numpy()))
