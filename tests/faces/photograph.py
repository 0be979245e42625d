"""A real face for tests: NASA's public-domain photograph of Eileen Collins, moved in a known way."""

from collections.abc import Sequence

import cv2
import numpy as np
from skimage import data

from depression_vr.faces.aligning.alignment import Similarity

FACE = np.array([225.0, 120.0])  # middle of the face in the photograph
WIDTH, HEIGHT = 480, 360
_BACKGROUND = (90, 100, 110)


def placed(scale: float, angle: float, middle: tuple[float, float]) -> Similarity:
    """The motion that scales the photograph, turns it clockwise (degrees) and brings the face to a place."""
    a, b = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    x, y = FACE
    return Similarity(a, b, middle[0] - a * x + b * y, middle[1] - b * x - a * y)


def swaying(frames: int) -> list[Similarity]:
    """A head that sways, nods to the side and comes nearer, some seconds a period at 30 frames/s."""
    return [
        placed(
            scale=1.5 * (1 + 0.12 * np.sin(frame / 14)),
            angle=10 * np.sin(frame / 11 + 1),
            middle=(WIDTH / 2 + 35 * np.sin(frame / 17), HEIGHT / 2 + 15 * np.cos(frame / 13)),
        )
        for frame in range(frames)
    ]


def picture(motions: Sequence[Similarity], width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """The photograph, once for each motion, on a plain ground; ``(height, width, 3)``, uint8."""
    photograph = data.astronaut()[:280, 100:360]
    canvas = np.full((height, width, 3), _BACKGROUND, np.uint8)
    for motion in motions:
        matrix = motion.matrix()
        matrix[:, 2] += matrix[:, :2] @ (100, 0)
        moved = cv2.warpAffine(photograph, matrix, (width, height), flags=cv2.INTER_AREA)
        covered = cv2.warpAffine(np.ones(photograph.shape[:2], np.uint8), matrix, (width, height))
        canvas[covered > 0] = moved[covered > 0]
    return canvas
