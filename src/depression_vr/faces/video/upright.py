"""How stored pictures become upright ones of one size."""

import math
from dataclasses import dataclass
from typing import Any

import av
import numpy as np


@dataclass(frozen=True)
class Upright:
    """How stored pictures become upright ones of one size."""

    width: int  # of the stored picture, pixels
    height: int
    rotation: int = 0
    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def of(cls, picture: av.VideoFrame) -> "Upright":
        """Read a picture's display matrix, which sends stored (p, q) to upright (a p + c q, b p + d q)."""
        side_data: Any = picture.side_data  # PyAV's types know of motion vectors only
        if "DISPLAYMATRIX" not in side_data:
            return cls(picture.width, picture.height)
        matrix = np.frombuffer(side_data["DISPLAYMATRIX"], np.int32)
        a, b, c, d = (int(matrix[position]) for position in (0, 1, 3, 4))
        turn = round(math.degrees(math.atan2(-c, d)) / 90) % 4
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(picture.width, picture.height, turn * 90, True, c < 0, b < 0)
        return cls(picture.width, picture.height, turn * 90, False, a < 0, d < 0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, pixels."""
        return (self.height, self.width) if self.transposed else (self.width, self.height)

    def rgb(self, picture: av.VideoFrame) -> np.ndarray:
        """Convert, scale where the size differs, turn: ``(H, W, 3)``, uint8, contiguous."""
        # threads: swscale would start one a core for every conversion, in each worker process
        pixels = picture.to_ndarray(format="rgb24", width=self.width, height=self.height, threads=1)
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        pixels = pixels[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]
        return np.ascontiguousarray(pixels)
