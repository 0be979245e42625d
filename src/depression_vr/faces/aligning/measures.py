"""How good one aligned frame is, and where its head points."""

from dataclasses import dataclass

import cv2
import numpy as np

# A face in millimetres, x to the right in the picture, y down, z away from the camera, for a head that looks
# into it: tip of the nose, chin, outer corners of the eyes, corners of the mouth.
_POINTS = (30, 8, 36, 45, 48, 54)
_FACE = np.array(
    [[0, 0, 0], [0, 64, 22], [-45, -34, 42], [45, -34, 42], [-27, 28, 30], [27, 28, 30]], dtype=float
)
_SOLVE = np.linalg.pinv(_FACE - _FACE.mean(axis=0))


@dataclass(frozen=True)
class HeadPose:
    """Angles of the head in degrees, estimated from six landmarks and a mean face.

    A face that is built otherwise than the mean one has an offset of some degrees, mostly in pitch: compare
    angles within a video rather than between people.

    They are turns that follow one another: up, then to the side, then in the picture.

    Attributes:
        roll: turned clockwise in the picture.
        yaw: turned to the right in the picture.
        pitch: turned up.
    """

    roll: float
    yaw: float
    pitch: float


def head_pose(landmarks: np.ndarray) -> HeadPose:
    """The head's angles under scaled orthography (DeMenthon and Davis's POS), from landmarks ``(68, 2)``."""
    points = landmarks[list(_POINTS)]
    right, down = (_SOLVE @ (points - points.mean(axis=0))).T
    # the nearest rotation to the two rows that the picture shows
    left_vectors, _, right_vectors = np.linalg.svd(np.stack([right, down]), full_matrices=False)
    right, down = left_vectors @ right_vectors
    away = np.cross(right, down)
    return HeadPose(
        roll=float(np.degrees(np.arctan2(down[0], right[0]))),
        yaw=float(np.degrees(np.arcsin(np.clip(away[0], -1, 1)))),
        pitch=float(np.degrees(np.arctan2(-away[1], away[2]))),
    )


def sharpness(gray: np.ndarray) -> float:
    """Variance of the Laplacian of an aligned face, uint8; falls with blur. Comparable at one size only."""
    return float(cv2.Laplacian(gray, cv2.CV_64F).var())


def brightness(gray: np.ndarray) -> float:
    """Mean luma, 0..255, of the middle of an aligned face, from brows to chin."""
    side = len(gray)
    return float(gray[int(0.2 * side) : int(0.85 * side), int(0.25 * side) : int(0.75 * side)].mean())
