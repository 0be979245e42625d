"""Augmentation and normalisation on the device: whole batches, one draw per clip for all its frames.

Transforms are functions of pixels and of uniform numbers that came with the clip, so they draw nothing
themselves. Clips are ``(B, T, 3, H, W)``, float 0..1.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from depression_vr.data.colours import ColourMap, constant, mean_colours, scaled, white

LUMA = (0.299, 0.587, 0.114)
_RGB_TO_YIQ = (LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))
_YIQ_TO_RGB = np.linalg.inv(_RGB_TO_YIQ).tolist()


@runtime_checkable
class ClipTransform(Protocol):
    """One augmentation.

    Attributes:
        draws: how many uniform numbers it takes per clip.
    """

    draws: int

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        """Transform ``(B, T, 3, H, W)`` by ``(B, draws)`` numbers in [0, 1)."""
        ...


def _around(centre: float, spread: float, uniforms: Tensor) -> Tensor:
    """Uniform in ``centre - spread .. centre + spread``."""
    return centre + spread * (2 * uniforms - 1)


class ColourJitter:
    """Brightness, contrast, saturation and hue, as one affine map of the colours per clip.

    The four ranges mean what they mean to torchvision's ColorJitter. All four are affine when hue turns
    the chroma plane of YIQ (instead of the HSV hexagon) and contrast pivots on the clip's mean luma
    (instead of each frame's), and then their order does not matter, but for the one clipping at the end.

    Args:
        brightness: factor in ``1 - brightness .. 1 + brightness``.
        contrast: factor around the mean luma, alike.
        saturation: factor of the chroma, alike.
        hue: turn of the chroma by up to this fraction of a circle, 0..0.5.
    """

    draws = 4

    def __init__(self, brightness: float, contrast: float, saturation: float, hue: float) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        """Jitter the colours and clip to 0..1."""
        return self.colours(mean_colours(clips), uniforms)(clips)

    def colours(self, mean: Tensor, uniforms: Tensor) -> ColourMap:
        """The map for clips of these mean colours, ``(B, 3)`` on the scale 0..1."""
        brightness = _around(1, self.brightness, uniforms[:, 0])
        contrast = _around(1, self.contrast, uniforms[:, 1])
        saturation = _around(1, self.saturation, uniforms[:, 2])
        angle = _around(0, 2 * math.pi * self.hue, uniforms[:, 3])
        mean_luma = mean @ constant(LUMA, mean.device)
        shift = brightness * (1 - contrast) * mean_luma  # (B,), the same for the three colours
        return ColourMap(
            (brightness * contrast)[:, None, None] * _chroma_matrix(saturation, angle),
            shift[:, None].expand(-1, 3),
            low=constant((0.0, 0.0, 0.0), mean.device),
            high=constant((1.0, 1.0, 1.0), mean.device),
        )


def _chroma_matrix(saturation: Tensor, angle: Tensor) -> Tensor:
    """RGB to RGB, ``(B, 3, 3)``: chroma scaled and turned, luma kept; positive turns red towards yellow."""
    to_yiq, to_rgb = (
        constant(tuple(chain.from_iterable(rows)), angle.device).view(3, 3)
        for rows in (_RGB_TO_YIQ, _YIQ_TO_RGB)
    )
    cos, sin = saturation * angle.cos(), saturation * angle.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    turn = torch.stack([one, zero, zero, zero, cos, sin, zero, -sin, cos], dim=1).unflatten(1, (3, 3))
    return to_rgb @ turn @ to_yiq


class HorizontalFlip:
    """Mirror left and right with probability ``p``."""

    draws = 1

    def __init__(self, p: float) -> None:
        self.p = p

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        """Mirror the clips whose number is below ``p``."""
        return torch.where(self.mirrored(uniforms)[:, None, None, None, None], clips.flip(-1), clips)

    def mirrored(self, uniforms: Tensor) -> Tensor:
        """Which clips are mirrored, ``(B,)``."""
        return uniforms[:, 0] < self.p


class Rotation:
    """Rotate around the centre by up to ``degrees`` either way with probability ``p``; corners turn black."""

    draws = 2

    def __init__(self, degrees: float, p: float) -> None:
        self.degrees = degrees
        self.p = p

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        """Rotate the clips whose first number is below ``p``, bilinearly."""
        angle = _around(0, math.radians(self.degrees), uniforms[:, 1]) * (uniforms[:, 0] < self.p)
        height, width = clips.shape[-2:]
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        # affine_grid counts both sides as 2 long, whatever their pixels
        rows = [cos, -sin * height / width, zero, sin * width / height, cos, zero]
        grid = functional.affine_grid(
            torch.stack(rows, dim=1).unflatten(1, (2, 3)), [len(clips), 1, height, width], align_corners=False
        )
        frames_as_channels = clips.flatten(1, 2)
        return functional.grid_sample(frames_as_channels, grid, align_corners=False).view_as(clips)


class Augmentation:
    """Transforms one after the other, each with its own share of a clip's uniform numbers."""

    def __init__(self, transforms: Sequence[ClipTransform] = ()) -> None:
        self.transforms = tuple(transforms)
        self.draws = sum(transform.draws for transform in self.transforms)

    def __call__(self, clips: Tensor, uniforms: Tensor) -> Tensor:
        """Transform ``(B, T, 3, H, W)`` float 0..1 by ``(B, draws)`` numbers in [0, 1)."""
        for transform, share in self.shares(uniforms):
            clips = transform(clips, share)
        return clips

    def shares(self, uniforms: Tensor) -> Iterator[tuple[ClipTransform, Tensor]]:
        """Every transform and its columns of ``(B, draws)`` numbers."""
        columns = uniforms.split([transform.draws for transform in self.transforms], dim=1)
        return zip(self.transforms, columns, strict=True)


class Normalisation:
    """Subtract a mean and divide by a deviation per colour, then put channels before time.

    Args:
        mean: of red, green and blue, on the scale 0..1.
        std: of red, green and blue, on the scale 0..1.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean = tuple(mean)
        self.std = tuple(std)

    def __call__(
        self, clips: Tensor, colours: ColourMap | None = None, mirrored: Tensor | None = None
    ) -> Tensor:
        """``(B, T, 3, H, W)``, uint8 0..255 or float 0..1, to ``(B, 3, T, H, W)``, colours last in memory.

        3D convolutions are faster on that layout.

        Args:
            clips: the clips.
            colours: applied in the same pass.
            mirrored: which clips are mirrored left and right in the same pass, ``(B,)``.
        """
        mean, std = constant(self.mean, clips.device), constant(self.std, clips.device)
        if colours is None:
            normalised = scaled(clips, 1 / (std * white(clips)), -mean / std, mirrored)
        else:
            normalised = colours.normalised(mean, std)(clips, mirrored)
        return normalised.transpose(1, 2)
