"""Thin plate warps of the face: smooth displacement fields that identity and expression are sums of.

A warp is stored as what `cv2.remap` needs, the way back: at a place of the warped face, how far away the
photo's place lies. Fields are solved once per process for one unit of each shape, then only added up.
"""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from depression_vr.data.synthetic.portrait import (
    BROWS,
    FACE_CENTRE,
    LANDMARKS,
    LEFT_EYE,
    MOUTH,
    NOSE,
    RIGHT_EYE,
    Floats,
)

Points = npt.NDArray[np.float64]

ORIGIN = (96, 0)
EXTENT = 264

_STEP = 4
# Places that no shape may move: around the head, on the shoulders, at the border of the fields.
_ANCHORS = np.array(
    [[x, y] for x in (96, 140, 312, 360) for y in (0, 44, 88, 132, 176, 220, 264)]
    + [[x, y] for x in (162, 195, 228, 261, 294) for y in (0, 40, 215, 264)],
    np.float64,
)
_CHEEKS = np.array([[196.0, 126.0], [254.0, 128.0]])
_CONTROLS = np.concatenate([LANDMARKS, _CHEEKS, _ANCHORS])


def _identity_displacements() -> dict[str, Points]:
    """One standard deviation of each way in which two faces differ, in photo pixels per control point."""
    centre_x, _ = FACE_CENTRE
    sideways = LANDMARKS[:, 0] - centre_x
    below_eyes = np.clip((LANDMARKS[:, 1] - 103) / 75, 0, 1)
    shapes = {name: np.zeros_like(_CONTROLS) for name in _IDENTITY}
    shapes["wide"][:68, 0] = 3.0 * sideways / 45
    shapes["long"][:68, 1] = 3.5 * below_eyes
    shapes["jaw"][3:14, 0] = 3.0 * sideways[3:14] / 40
    for eye, outwards in ((LEFT_EYE, -1.3), (RIGHT_EYE, 1.3)):
        shapes["eyes_apart"][eye, 0] = outwards
    shapes["nose_wide"][31:36, 0] = 1.5 * sideways[31:36] / 10
    shapes["nose_long"][NOSE, 1] = 2.0 * below_eyes[NOSE]
    shapes["mouth_wide"][MOUTH, 0] = 2.2 * sideways[MOUTH] / 22
    shapes["mouth_low"][MOUTH, 1] = 1.6
    shapes["brows"][BROWS, 1] = -1.4
    shapes["lips"][[50, 51, 52], 1] = -0.9
    shapes["lips"][[56, 57, 58], 1] = 1.2
    return shapes


def _expression_displacements() -> dict[str, Points]:
    """From the photo's broad smile to a sober mouth, and raised brows, in photo pixels per control point."""
    sober = np.zeros_like(_CONTROLS)
    for corner, inwards in (([48, 60], 1.0), ([54, 64], -1.0)):
        sober[corner] = (5.0 * inwards, 3.6)
    for beside, inwards in (([49, 59], 1.0), ([53, 55], -1.0)):
        sober[beside] = (2.4 * inwards, 1.6)
    sober[[50, 51, 52, 61, 62, 63], 1] = 0.6
    sober[68:70, 1] = 2.2
    brow_raise = np.zeros_like(_CONTROLS)
    brow_raise[BROWS, 1] = -1.0
    return {"sober": sober, "brow_raise": brow_raise}


_IDENTITY = (
    "wide", "long", "jaw", "eyes_apart", "nose_wide", "nose_long", "mouth_wide", "mouth_low", "brows", "lips",
)  # fmt: skip
IDENTITY_SHAPES = len(_IDENTITY)


@lru_cache(maxsize=1)
def identity_fields() -> Floats:
    """One field per identity shape, shape ``(IDENTITY_SHAPES, EXTENT, EXTENT, 2)``, photo pixels."""
    return _fields(list(_identity_displacements().values()))


@lru_cache(maxsize=1)
def expression_fields() -> Floats:
    """The fields of a fully sober mouth and of brows raised by a pixel, ``(2, EXTENT, EXTENT, 2)``."""
    return _fields(list(_expression_displacements().values()))


def _fields(displacements: list[Points]) -> Floats:
    """Interpolate displacements of the control points as thin plates over the photo's part at `ORIGIN`."""
    coarse = np.arange(0, EXTENT + _STEP, _STEP, dtype=np.float64)
    x, y = np.meshgrid(coarse + ORIGIN[0], coarse + ORIGIN[1])
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    values = _plate(places) @ np.linalg.solve(_plate_system(), _plate_targets(displacements))
    grids = values.reshape(*x.shape, len(displacements), 2).transpose(2, 0, 1, 3)
    fine = np.arange(EXTENT, dtype=np.float32) / _STEP
    map_x, map_y = np.meshgrid(fine, fine)
    # Rounded, so that the last bit of a linear algebra library does not reach the pixels.
    return np.stack([
        np.round(cv2.remap(grid.astype(np.float32), map_x, map_y, cv2.INTER_CUBIC), 3) for grid in grids
    ])  # fmt: skip


def _plate(places: Points) -> Points:
    """The thin plate kernel r^2 log r between places and control points, then 1, x, y: ``(n, m + 3)``."""
    squared = ((places[:, None] - _CONTROLS[None]) ** 2).sum(axis=2) / 100.0**2
    kernel = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return np.concatenate([kernel, np.ones((len(places), 1)), places / 100.0], axis=1)


def _plate_system() -> Points:
    m = len(_CONTROLS)
    system = np.zeros((m + 3, m + 3))
    system[:m] = _plate(_CONTROLS)
    # Landmarks stand close together: a little stiffness keeps the plate from rippling between them.
    system[np.arange(m), np.arange(m)] += 1e-3
    system[m:, :m] = system[:m, m:].T
    return system


def _plate_targets(displacements: list[Points]) -> Points:
    targets = np.concatenate(displacements, axis=1)
    return np.concatenate([-targets, np.zeros((3, targets.shape[1]))])
