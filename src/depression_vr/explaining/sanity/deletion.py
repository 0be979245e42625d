"""Deletion and insertion curves: how far the score moves when pixels go, or come, in the order of importance.

After RISE (Petsiuk et al., BMVC 2018). There the probability of a class falls; a score in points can move
either way, so the curve shows its distance from the score of the whole clip.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from depression_vr.explaining.sanity.blocks import Blocks

FRACTIONS = np.array([0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
"""Of the blocks that are replaced, or shown."""
BLUR = 1 / 8
"""Standard deviation of the blur, of the frame's smaller side."""

ClipScores = Callable[[Iterable[np.ndarray]], np.ndarray]
"""Scores ``(n,)`` in points of n clips ``(T, H, W, 3)``, uint8; takes one after the other."""


class Curves(NamedTuple):
    """Distance from the whole clip's score, in points, one row per order; columns are `FRACTIONS`.

    Attributes:
        deletion: the most important pixels are replaced first: 0 at the left.
        insertion: the most important pixels are shown first: 0 at the right.
    """

    deletion: np.ndarray
    insertion: np.ndarray


def nothing_to_see(pixels: np.ndarray) -> np.ndarray:
    """What replaces pixels: the clip's mean frame, blurred, for all frames.

    Nothing moves in it and eyes and mouth are gone, but colours and light are those of the clip; black would
    bring edges and a darkness that no clip has.

    Args:
        pixels: ``(T, H, W, 3)``, uint8.
    """
    mean = pixels.mean(axis=0, dtype=np.float32)
    blurred = cv2.GaussianBlur(mean, (0, 0), BLUR * min(mean.shape[:2]), borderType=cv2.BORDER_REPLICATE)
    return np.broadcast_to(np.round(blurred).astype(np.uint8), pixels.shape)


def curves(scores: ClipScores, pixels: np.ndarray, blocks: Blocks, orders: np.ndarray) -> Curves:
    """The curves of one clip.

    Args:
        scores: of the network.
        pixels: ``(T, H, W, 3)``, uint8.
        blocks: that are replaced as a whole.
        orders: numbers of the blocks, the most important first, ``(n, blocks)``.
    """
    blank = nothing_to_see(pixels)
    between = np.round(FRACTIONS[1:-1] * len(blocks)).astype(int)

    def clips() -> Iterator[np.ndarray]:
        yield pixels
        yield blank
        for order in orders:
            for first in between:
                there = blocks.pixels(np.isin(np.arange(len(blocks)), order[:first]))[..., None]
                yield np.where(there, blank, pixels)
                yield np.where(there, pixels, blank)

    whole, empty, *rest = scores(clips())
    distances = np.abs(np.reshape(rest, (len(orders), len(between), 2)) - whole)
    ends = np.zeros((len(orders), 1)), np.full((len(orders), 1), abs(empty - whole))
    return Curves(
        np.concatenate([ends[0], distances[..., 0], ends[1]], axis=1),
        np.concatenate([ends[1], distances[..., 1], ends[0]], axis=1),
    )


def changes(scores: ClipScores, pixels: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """How far the score moves, in points with its sign, when one part is replaced.

    Args:
        scores: of the network.
        pixels: ``(T, H, W, 3)``, uint8.
        masks: which share of each pixel of all frames is replaced, ``(n, H, W)``, 0..1.

    Returns:
        Shape ``(n + 1,)``; the last is the clip that stands still, all frames being its mean.
    """
    blank = nothing_to_see(pixels)

    def clips() -> Iterator[np.ndarray]:
        yield pixels
        for mask in masks[:, None, :, :, None]:
            yield np.round(mask * blank + (1 - mask) * pixels).astype(np.uint8)
        still = np.round(pixels.mean(axis=0)).astype(np.uint8)
        yield np.broadcast_to(still, pixels.shape)

    whole, *rest = scores(clips())
    return np.asarray(rest) - whole


def area(curve: np.ndarray) -> np.ndarray:
    """Mean height of curves ``(..., fractions)``, in points."""
    return np.trapezoid(curve, FRACTIONS, axis=-1)
