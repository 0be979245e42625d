"""Crops that miss the face by a little: every frame of a video is off by the same.

What lies beyond the frame is not known; the pixels of its edge are repeated there.
"""

import math
from abc import ABC, abstractmethod

import cv2
import numpy as np

from depression_vr.degradation.base import Degradation, DegradedVideo


class Misalignment(Degradation, ABC):
    """Frames turned, scaled or shifted around their middle."""

    def degraded(self, pixels: np.ndarray, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Pixels of the misaligned crop, bilinear."""
        height, width = pixels.shape[1:3]
        matrix = self.matrix(video) * [[1, 1, width], [1, 1, height]]
        middle = np.array([width - 1, height - 1]) / 2
        matrix[:, 2] += middle - matrix[:, :2] @ middle
        size, beyond = (width, height), cv2.BORDER_REPLICATE
        return np.stack([cv2.warpAffine(frame, matrix, size, borderMode=beyond) for frame in pixels])

    @abstractmethod
    def matrix(self, video: DegradedVideo) -> np.ndarray:
        """How points move relative to the middle, ``(2, 3)``; shifts are fractions of the sides."""


class Shift(Misalignment):
    """The face lies off its place, in a direction drawn for each video."""

    name = "shift"
    title = "shifted crop"
    unit = "fraction of the frame's side"
    wanted = "fractions above 0 and below 1"
    identity = 0.0

    def has_level(self) -> bool:
        """Between 0 and 1."""
        return 0 < self.level < 1

    def matrix(self, video: DegradedVideo) -> np.ndarray:
        """A shift by the level."""
        angle = 2 * math.pi * video.generator(self.name).random()
        return np.array([[1, 0, self.level * math.cos(angle)], [0, 1, self.level * math.sin(angle)]])


class Turn(Misalignment):
    """The face is turned in the plane of the picture, to a side drawn for each video."""

    name = "rotation"
    title = "rotated crop"
    unit = "degrees"
    wanted = "degrees above 0, up to 180"
    identity = 0.0

    def has_level(self) -> bool:
        """Up to 180 degrees."""
        return 0 < self.level <= 180

    def matrix(self, video: DegradedVideo) -> np.ndarray:
        """A rotation by the level to either side."""
        angle = math.radians(self.level) * (1 if video.generator(self.name).random() < 0.5 else -1)
        cos, sin = math.cos(angle), math.sin(angle)
        return np.array([[cos, -sin, 0], [sin, cos, 0]])


class Scale(Misalignment):
    """The face is too small (factors below 1) or too large."""

    name = "scale"
    title = "scaled crop"
    unit = "factor"
    wanted = "factors of 0.05 to 20 other than 1"
    identity = 1.0

    def has_level(self) -> bool:
        """Of 0.05 to 20."""
        return 0.05 <= self.level <= 20

    def matrix(self, video: DegradedVideo) -> np.ndarray:
        """A scaling by the level."""
        return np.array([[self.level, 0, 0], [0, self.level, 0]], float)
