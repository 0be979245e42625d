"""The 68 landmarks of iBUG 300-W, which dlib, face-alignment and OpenFace share, and what finds them.

Coordinates are pixels of the upright frame, x to the right and y down, with (0, 0) the centre of the first
pixel. "Left" is left in the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

LANDMARKS = 68
LEFT_EYE_CORNERS = (36, 39)
RIGHT_EYE_CORNERS = (42, 45)
MOUTH_CORNERS = (48, 54)


@dataclass(frozen=True)
class Face:
    """One face that a detector found in one frame.

    Attributes:
        box: ``(x0, y0, x1, y1)``, shape ``(4,)``, float64.
        score: the detector's own confidence; higher is surer, its range is the detector's.
    """

    box: np.ndarray
    score: float


@runtime_checkable
class LandmarkDetector(Protocol):
    """Finds faces, and the landmarks of a face whose box is roughly known.

    Objects hold settings only and load their weights at first use, so that they can be sent to other
    processes.
    """

    def prepare(self) -> None:
        """Make sure that packages and weights are there, before any video is touched.

        Raises:
            UserError: what is missing, where it belongs, and what works without it.
        """

    def processes(self) -> int:
        """How many processes at once use the machine well."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces of each frame; frames are RGB, ``(H, W, 3)``, uint8, all of one size."""

    def landmarks(self, frames: Sequence[np.ndarray], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the landmarks of one face in each frame.

        Args:
            frames: N frames, RGB, ``(H, W, 3)``, uint8; the same frame may come several times.
            boxes: ``(N, 4)``, each like a `Face.box` or like what `box_around` gives.

        Returns:
            Landmarks ``(N, 68, 2)``, float64, and their confidence ``(N,)`` in 0..1; 1 where the method
            has none.
        """

    def box_around(self, landmarks: np.ndarray) -> np.ndarray:
        """Boxes ``(N, 4)`` in which `landmarks` finds faces again, given their landmarks ``(N, 68, 2)``."""
