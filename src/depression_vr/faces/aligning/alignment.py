"""Turn, scale and shift a frame so that eyes and mouth come to lie on the template."""

from dataclasses import dataclass

import cv2
import numpy as np

from depression_vr.faces.aligning.template import TEMPLATE, anchors


@dataclass(frozen=True)
class Similarity:
    """A similarity transform of the plane, ``(x, y) -> (a x - b y + tx, b x + a y + ty)``.

    Attributes:
        a: scale times the cosine of the angle.
        b: scale times the sine of the angle.
        tx: shift to the right, pixels.
        ty: shift down, pixels.
    """

    a: float
    b: float
    tx: float
    ty: float

    @property
    def scale(self) -> float:
        """Pixels out for one pixel in."""
        return float(np.hypot(self.a, self.b))

    @property
    def angle(self) -> float:
        """How far it turns, degrees, clockwise as seen on the screen."""
        return float(np.degrees(np.arctan2(self.b, self.a)))

    def matrix(self) -> np.ndarray:
        """Shape ``(2, 3)``."""
        return np.array([[self.a, -self.b, self.tx], [self.b, self.a, self.ty]])

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Move points of shape ``(..., 2)``."""
        matrix = self.matrix()
        return points @ matrix[:, :2].T + matrix[:, 2]


def fit(points: np.ndarray, targets: np.ndarray) -> Similarity:
    """The similarity that brings points nearest to targets in the sense of least squares.

    Args:
        points: shape ``(N, 2)``, not all the same.
        targets: shape ``(N, 2)``.
    """
    middle, target_middle = points.mean(axis=0), targets.mean(axis=0)
    (x, y), (u, v) = (points - middle).T, (targets - target_middle).T
    size = (x * x + y * y).sum()
    a, b = (x * u + y * v).sum() / size, (x * v - y * u).sum() / size
    tx = target_middle[0] - a * middle[0] + b * middle[1]
    ty = target_middle[1] - b * middle[0] - a * middle[1]
    return Similarity(float(a), float(b), float(tx), float(ty))


def to_template(landmarks: np.ndarray, size: int) -> Similarity:
    """The transform from a frame to an aligned frame of ``size`` pixels a side; landmarks ``(68, 2)``."""
    return fit(anchors(landmarks), TEMPLATE * size - 0.5)


def align(frame: np.ndarray, transform: Similarity, size: int) -> np.ndarray:
    """Cut the aligned face out of a frame; black where the frame does not reach.

    Where the face is made smaller, the frame is blurred first as much as the finer grid needs (a Gaussian of
    deviation ``(1/scale - 1)/2`` pixels), so that nothing aliases.

    Args:
        frame: RGB ``(H, W, 3)``, uint8, or gray ``(H, W)``.
        transform: from the frame to the aligned frame.
        size: side of the aligned frame in pixels.

    Returns:
        Shape ``(size, size, 3)`` or ``(size, size)``, uint8.
    """
    matrix = transform.matrix()
    if transform.scale < 1:
        deviation = (1 / transform.scale - 1) / 2
        frame, corner = _region(frame, transform, size, margin=int(4 * deviation) + 2)
        if frame.size == 0:
            return np.zeros((size, size, *frame.shape[2:]), np.uint8)
        frame = cv2.GaussianBlur(frame, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)
        matrix = np.column_stack([matrix[:, :2], transform.apply(corner)])
    return cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_CUBIC)


def _region(
    frame: np.ndarray, transform: Similarity, size: int, margin: int
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a frame that the aligned frame shows, and its upper left corner ``(x, y)``."""
    inverse = np.linalg.inv(np.vstack([transform.matrix(), [0, 0, 1]]))
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ inverse[:2].T
    height, width = frame.shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int) - margin, 0, (width, height))
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + margin, 0, (width, height))
    return frame[y0:y1, x0:x1], np.array([x0, y0], float)
