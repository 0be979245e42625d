"""Importance as a colour over frames."""

from dataclasses import dataclass

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from depression_vr.explaining.attributions import METHODS
from depression_vr.explaining.timeline import Timeline

_STRONGEST = 0.65
"""Share of the colour where importance is highest."""
_SPREAD = 0.02
"""Standard deviation of the blur with which single pixels' shares are shown, of the frame's height."""


@dataclass(frozen=True)
class Heat:
    """Colours of one method's importance, the same for all frames of a video.

    Attributes:
        low: importance that has the first colour of the scale.
        high: that has the last.
        signed: whether 0 is in the middle.
    """

    low: float
    high: float
    signed: bool

    @property
    def scale(self) -> ScalarMappable:
        """For a colour bar."""
        return ScalarMappable(
            Normalize(self.low, self.high), mpl.colormaps["coolwarm" if self.signed else "inferno"]
        )

    def over(self, pixels: np.ndarray, importance: np.ndarray) -> np.ndarray:
        """Colour a frame ``(H, W, 3)``, uint8, by importance ``(H, W)``: the more, the more important."""
        colours = self.scale.to_rgba(importance, bytes=True)[..., :3]
        where = (importance - self.low) / (self.high - self.low)
        share = _STRONGEST * np.clip(np.abs(2 * where - 1) if self.signed else where, 0, 1)[..., None]
        return np.round((1 - share) * pixels + share * colours).astype(np.uint8)


def shown(timeline: Timeline) -> np.ndarray:
    """Importance as pictures show it, ``(n, H, W)``: single pixels' shares of a whole are blurred."""
    if not METHODS[timeline.method].sums:
        return timeline.importance
    sigma = max(_SPREAD * timeline.importance.shape[1], 0.5)
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in timeline.importance])


def heat(method: str, importance: np.ndarray) -> Heat:
    """The colours of importance ``(n, H, W)``: the highest 0.5% share the last one."""
    if METHODS[method].signed:
        high = float(np.quantile(np.abs(importance), 0.995)) or 1.0
        return Heat(-high, high, signed=True)
    low, high = (float(edge) for edge in np.quantile(importance, [0.005, 0.995]))
    return Heat(low, high if high > low else low + 1.0, signed=False)


def enlarged(pixels: np.ndarray, side: int) -> np.ndarray:
    """A frame whose height and width are ``side`` at least, by the same whole factor, and even."""
    factor = max(-(-side // min(pixels.shape[:2])), 1)
    large = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    return large[: large.shape[0] // 2 * 2, : large.shape[1] // 2 * 2]
