"""A film of a real face that moves smoothly, for benchmarks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from depression_vr.data.film import write_mp4

FRAME_RATE = 30

_FACE = (222.5, 126.5)  # middle of the detector's box in the photograph, pixels
_FACE_WIDTH = 87.0
_NOISE = 4.0  # grey levels; a film without it takes few bits and decodes faster than a camera's
_BITS_PER_PIXEL = 0.1  # as webcams are recorded: 2.8 Mbit/s at 1280x720


@dataclass(frozen=True)
class Film:
    """NASA's public-domain photograph of Eileen Collins, turned, scaled and shifted from frame to frame.

    Attributes:
        width: of a frame, pixels.
        height: of a frame, pixels.
        face: mean width of the face, pixels.
        frames: how many, 30 a second.
    """

    width: int
    height: int
    face: float
    frames: int

    def write(self, path: Path) -> Path:
        """Write the film as an MP4 file and return its path."""
        bit_rate = round(_BITS_PER_PIXEL * self.width * self.height * FRAME_RATE)
        write_mp4(path, self.pictures(), FRAME_RATE, bit_rate)
        return path

    def pictures(self) -> Iterator[np.ndarray]:
        """The frames, ``(height, width, 3)``, RGB, uint8."""
        photograph = data.astronaut()  # type: ignore[no-untyped-call]
        generator = np.random.default_rng(0)
        noise = generator.normal(0, _NOISE, (self.height, self.width, 3)).astype(np.int16)
        for frame in range(self.frames):
            picture = cv2.warpAffine(
                photograph,
                self._motion(frame / FRAME_RATE),
                (self.width, self.height),
                borderMode=cv2.BORDER_REFLECT_101,
            )
            moved = np.roll(noise, generator.integers(self.width, size=2), axis=(0, 1))
            yield np.clip(picture + moved, 0, 255).astype(np.uint8)

    def _motion(self, seconds: float) -> np.ndarray:
        """From the photograph to the frame, ``(2, 3)``: sways of some seconds that do not repeat together."""
        turn, nearer, right, down = np.sin(2 * np.pi * seconds / np.array([3.1, 4.3, 3.7, 2.9]))
        angle = np.radians(8 * turn)
        scale = self.face / _FACE_WIDTH * (1 + 0.1 * nearer)
        a, b = scale * np.cos(angle), scale * np.sin(angle)
        x, y = _FACE
        middle = self.width * (0.5 + 0.06 * right), self.height * (0.5 + 0.04 * down)
        return np.array([[a, -b, middle[0] - a * x + b * y], [b, a, middle[1] - b * x - a * y]])
