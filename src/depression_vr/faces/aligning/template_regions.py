"""The parts of the canonical face: which share of each pixel of an aligned frame is eyes, mouth, cheeks, ...

Drawn around the landmarks of aligned faces, wide enough for people to differ and lips to move;
``docs/face_regions.svg`` shows them. Coordinates are fractions of the frame's side, as the template's.
"""

import numpy as np
from skimage import draw

from depression_vr.faces.aligning.alignment import fit
from depression_vr.faces.aligning.template import TEMPLATE

REGIONS = ("eyes", "brows", "nose", "mouth", "cheeks", "rest of the face", "outside")
"""Disjoint; together they cover the frame."""

_LEFT_EYE = [
    [0.262, 0.335], [0.290, 0.298], [0.365, 0.283], [0.430, 0.298], [0.455, 0.335], [0.430, 0.373],
    [0.365, 0.387], [0.290, 0.375],
]  # fmt: skip
_LEFT_BROW = [
    [0.200, 0.305], [0.225, 0.235], [0.310, 0.205], [0.410, 0.213], [0.465, 0.245], [0.465, 0.305],
    [0.365, 0.283], [0.262, 0.315],
]  # fmt: skip
_LEFT_CHEEK = [
    [0.205, 0.370], [0.290, 0.375], [0.365, 0.387], [0.430, 0.373], [0.445, 0.430], [0.410, 0.530],
    [0.430, 0.575], [0.345, 0.578], [0.312, 0.605], [0.315, 0.690], [0.265, 0.665], [0.225, 0.570],
    [0.200, 0.460],
]  # fmt: skip
_NOSE = [
    [0.465, 0.300], [0.535, 0.300], [0.555, 0.430], [0.590, 0.530], [0.570, 0.575], [0.500, 0.587],
    [0.430, 0.575], [0.410, 0.530], [0.445, 0.430],
]  # fmt: skip
_MOUTH = [
    [0.312, 0.605], [0.345, 0.578], [0.430, 0.575], [0.500, 0.587], [0.570, 0.575], [0.655, 0.578],
    [0.688, 0.605], [0.685, 0.660], [0.620, 0.715], [0.500, 0.745], [0.380, 0.715], [0.315, 0.660],
]  # fmt: skip
_FACE = [
    [0.165, 0.330], [0.175, 0.470], [0.205, 0.590], [0.265, 0.715], [0.345, 0.810], [0.430, 0.865],
    [0.500, 0.880], [0.570, 0.865], [0.655, 0.810], [0.735, 0.715], [0.795, 0.590], [0.825, 0.470],
    [0.835, 0.330], [0.810, 0.190], [0.730, 0.085], [0.600, 0.035], [0.500, 0.025], [0.400, 0.035],
    [0.270, 0.085], [0.190, 0.190],
]  # fmt: skip

_POINTS_PER_PIXEL = 8


def outlines(at: np.ndarray = TEMPLATE) -> list[tuple[str, np.ndarray]]:
    """Region and polygon ``(n, 2)``, in the order of painting: where two overlap, the later one counts.

    Args:
        at: left eye, right eye and mouth as the template has them, shape ``(3, 2)``, where faces lie
            elsewhere in the frame.
    """
    there = fit(TEMPLATE, at)
    painted = [
        ("rest of the face", _FACE),
        *(("cheeks", side) for side in _both(_LEFT_CHEEK)),
        ("nose", _NOSE),
        *(("brows", side) for side in _both(_LEFT_BROW)),
        *(("eyes", side) for side in _both(_LEFT_EYE)),
        ("mouth", _MOUTH),
    ]
    return [(name, there.apply(np.array(polygon))) for name, polygon in painted]


def _both(left: list[list[float]]) -> list[list[list[float]]]:
    return [left, [[1 - x, y] for x, y in left]]


def region_masks(size: tuple[int, int], at: np.ndarray = TEMPLATE) -> np.ndarray:
    """How much of each pixel every region covers.

    Args:
        size: height and width of the frame in pixels.
        at: as in `outlines`.

    Returns:
        Shape ``(len(REGIONS), H, W)``, float32 0..1; over the regions every pixel sums to 1.
    """
    height, width = (side * _POINTS_PER_PIXEL for side in size)
    numbers = np.full((height, width), REGIONS.index("outside"), np.uint8)
    for name, polygon in outlines(at):
        x, y = (polygon * (width, height) - 0.5).T
        # not OpenCV's, which also fills every point that the outline touches
        numbers[draw.polygon(y, x, (height, width))] = REGIONS.index(name)  # type: ignore[no-untyped-call]
    fine = numbers.reshape(size[0], _POINTS_PER_PIXEL, size[1], _POINTS_PER_PIXEL)
    return np.stack([(fine == number).mean((1, 3), dtype=np.float32) for number in range(len(REGIONS))])
