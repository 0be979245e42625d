"""Parts of the face covered, as by glasses or a hand."""

from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from depression_vr.degradation.base import Degradation, DegradedVideo
from depression_vr.faces.aligning.template import TEMPLATE
from depression_vr.faces.aligning.template_regions import outlines


@dataclass(frozen=True)
class Occlusion(Degradation):
    """A region of the face template under patches of the frame's mean colour.

    Not black: what is to be missing is the region; a dark patch would add edges as well.

    Attributes:
        face: left eye, right eye and mouth in the frames, ``(x, y)`` as fractions of width and height.
    """

    region: ClassVar[str]
    unit = "side of the patch, times the region's"
    wanted = "factors above 0, up to 10"
    identity = 0.0

    face: np.ndarray = field(default_factory=lambda: TEMPLATE)

    def has_level(self) -> bool:
        """Up to 10, where a patch covers the frame."""
        return 0 < self.level <= 10

    def degraded(self, pixels: np.ndarray, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Pixels with the patches."""
        height, width = pixels.shape[1:3]
        means = pixels.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
        covered = self.covered(height, width)[..., None]
        return np.where(covered, np.rint(means).astype(np.uint8), pixels)

    def covered(self, height: int, width: int) -> np.ndarray:
        """Which pixels the patches cover, boolean ``(H, W)``."""
        mask = np.zeros((height, width), np.uint8)
        for name, polygon in outlines(self.face):
            if name == self.region:
                middle = (polygon.min(axis=0) + polygon.max(axis=0)) / 2
                patch = (middle + self.level * (polygon - middle)) * (width, height) - 0.5
                cv2.fillPoly(mask, [np.round(patch).astype(np.int32)], 1)
        return mask.astype(bool)


class CoveredEyes(Occlusion):
    """Both eyes covered."""

    name = "eyes"
    title = "eyes covered"
    region = "eyes"


class CoveredMouth(Occlusion):
    """The mouth covered."""

    name = "mouth"
    title = "mouth covered"
    region = "mouth"
