"""Lids and lips: the parts of a face that slide over what is behind them, which no smooth warp can show.

Both functions take the photo coordinates ``x, y`` that the pixels of a frame show, each ``(H, W)`` float32,
and return those that they show once the lids or lips have moved.
"""

import numpy as np
import numpy.typing as npt

from depression_vr.data.synthetic.portrait import EYES, LOWER_LIP, UPPER_LIP, Eye, Floats

_LID_FOLD = 7.5
_IRIS_REACH = 5.0
_LIP_CENTRE = 223.0
_CHIN = 178.0


def move_lids(x: Floats, y: Floats, closed: float, gaze: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Shift the irises, then draw the upper lids down over them.

    Args:
        x, y: photo coordinates shown.
        closed: 0 open .. 1 closed.
        gaze: shift of the iris in photo pixels ``(2,)``, y downwards.
    """
    x, y = x.copy(), y.copy()
    for eye in EYES:
        left, right = eye.upper[0, 0], eye.upper[-1, 0]
        top, bottom = eye.upper[:, 1].min() - _LID_FOLD, eye.lower[:, 1].max()
        near = (x > left) & (x < right) & (y > top) & (y < bottom)
        x[near], y[near] = _moved_eye(x[near], y[near], eye, closed, gaze.astype(np.float32))
    return x, y


def _moved_eye(x: Floats, y: Floats, eye: Eye, closed: float, gaze: Floats) -> tuple[Floats, Floats]:
    upper = np.interp(x, *eye.upper.T).astype(np.float32)
    lower = np.interp(x, *eye.lower.T).astype(np.float32)
    fold = upper - _LID_FOLD * _corners(x, eye)
    edge = upper + np.float32(closed) * (lower - upper)
    stretched = fold + (y - fold) * (upper - fold) / np.maximum(edge - fold, 0.1)
    on_lid = (y > fold) & (y <= edge)
    on_ball = (y > edge) & (y < lower)
    ball_x, ball_y = _moved_iris(x, y, eye, gaze)
    ball_y = np.clip(ball_y, upper + 0.4, lower)
    new_y = np.where(on_lid, stretched, np.where(on_ball, ball_y, y))
    return np.where(on_ball, ball_x, x), new_y


def _corners(x: Floats, eye: Eye) -> Floats:
    """1 over the middle of the eye, falling to a little above 0 at its corners."""
    left, right = eye.upper[0, 0], eye.upper[-1, 0]
    across = 2 * (x - left) / (right - left) - 1
    return np.asarray(np.clip(1.05 - across**4, 0.05, 1.0), np.float32)


def _moved_iris(x: Floats, y: Floats, eye: Eye, gaze: Floats) -> tuple[Floats, Floats]:
    distance = np.hypot(x - eye.iris[0] - gaze[0], y - eye.iris[1] - gaze[1])
    share = np.clip(2 - distance / np.float32(_IRIS_REACH), 0, 1)
    return x - share * gaze[0], y - share * gaze[1]


def move_lips(x: Floats, y: Floats, sober: float, opening: float) -> tuple[Floats, Floats, Floats]:
    """Close the photo's smile over the teeth, then drop lower lip and chin.

    Args:
        x, y: photo coordinates shown.
        sober: 0 the photo's smile with its teeth .. 1 lips closed over them.
        opening: how far the lower lip is dropped, photo pixels.

    Returns:
        New ``x, y``, and how much of the dark inside of the mouth a pixel shows, 0..1.
    """
    upper = np.interp(x, *UPPER_LIP.T).astype(np.float32)
    lower = np.interp(x, *LOWER_LIP.T).astype(np.float32)
    gap = lower - upper
    drop = np.float32(opening) * _across(x, np.float32(150.0))
    edge = lower - np.float32(sober) * gap + drop
    depth = y - upper + np.float32(3.5 * sober) * (gap > 0.5)
    inside = (y > upper) & (y < edge)
    hollow = np.where(inside, np.clip(depth - gap + 1.0, 0, 1), 0)
    below = y >= edge
    rise = np.float32(sober) * gap * np.clip(1 - (y - edge) / 24, 0, 1)
    fall = np.float32(opening) * _across(x, y) * _down_to_the_neck(y)
    y = np.where(below & (y > upper), y + rise - fall, np.where(inside, upper + np.minimum(depth, gap), y))
    return x, y.astype(np.float32), hollow.astype(np.float32)


def _across(x: Floats, y: Floats | np.float32) -> Floats:
    """How much of the jaw's drop a place takes part in, 0..1: the mouth's width at the lips, then wider."""
    half = 20.0 + 0.8 * np.clip(y - 150, 0, 40)
    return np.asarray(np.clip(1 - ((x - _LIP_CENTRE) / half) ** 2, 0, 1), np.float32)


def _down_to_the_neck(y: Floats) -> Floats:
    """1 at the lips, 0.7 at the chin, 0 on the neck."""
    return np.asarray(np.interp(y, [150, _CHIN, 208], [1.0, 0.7, 0.0]), np.float32)
