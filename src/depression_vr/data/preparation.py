"""From the pixels of a batch to what the network sees of them, in as few passes over them as possible."""

from typing import NamedTuple

import torch
from torch import Tensor

from depression_vr.data.augmentation import (
    Augmentation,
    ClipTransform,
    ColourJitter,
    HorizontalFlip,
    Normalisation,
)
from depression_vr.data.colours import ColourMap, constant, mean_colours, scaled, white
from depression_vr.data.regions import RegionViews


class Preparation:
    """Augments clips, cuts them to the network's views and normalises those, on the clips' device.

    The result is that of one transform after the other on colours 0..1. But jittered colours and mirroring,
    the conversion to float, and the normalisation where nothing lies in between, are one pass.

    Args:
        augmentation: of training clips.
        views: what the network takes.
        normalisation: of the views.
    """

    def __init__(self, augmentation: Augmentation, views: RegionViews, normalisation: Normalisation) -> None:
        self.augmentation = augmentation
        self.views = views
        self.normalisation = normalisation

    def __call__(self, pixels: Tensor, uniforms: Tensor | None) -> tuple[Tensor, ...]:
        """Views ``(B, 3, T, h, w)``, float, colours last in memory.

        Args:
            pixels: ``(B, T, 3, H, W)``, uint8 0..255; colours last in memory, or they are copied first.
            uniforms: for the augmentation, ``(B, n)`` numbers in [0, 1); None where clips are not augmented.
        """
        pending = _Pending(pixels)
        for transform, share in self.augmentation.shares(uniforms) if uniforms is not None else ():
            pending = pending.then(transform, share)
        if self.views.show_all(pending.clips):
            return (self.normalisation(*pending),)
        return tuple(self.normalisation(view) for view in self.views(pending.done()))


class _Pending(NamedTuple):
    """Clips, and what is still to be done to them: colours and mirroring, which do not depend on each other.

    Attributes:
        clips: ``(B, T, 3, H, W)``, uint8 0..255 or float 0..1.
        colours: how they change.
        mirrored: which clips are mirrored, ``(B,)``.
    """

    clips: Tensor
    colours: ColourMap | None = None
    mirrored: Tensor | None = None

    def then(self, transform: ClipTransform, uniforms: Tensor) -> "_Pending":
        """With a transform added, or done; one of a derived class is done, whatever it does."""
        if type(transform) is ColourJitter and self.colours is None:
            return self._replace(colours=transform.colours(mean_colours(self.clips), uniforms))
        if type(transform) is HorizontalFlip and self.mirrored is None:
            return self._replace(mirrored=transform.mirrored(uniforms))
        return _Pending(transform(self.done(), uniforms))

    def done(self) -> Tensor:
        """The clips, float 0..1."""
        if self.colours is not None:
            return self.colours(self.clips, self.mirrored)
        if self.clips.dtype == torch.float32 and self.mirrored is None:
            return self.clips
        scale, offset = (constant((value,) * 3, self.clips.device) for value in (1 / white(self.clips), 0.0))
        return scaled(self.clips, scale, offset, self.mirrored)
