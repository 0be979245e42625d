"""A clip in blocks of space and time, and the orders in which they are replaced."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Blocks:
    """A clip cut into blocks, numbered by time, then rows, then columns.

    Attributes:
        clip: frames, height and width ``(T, H, W)``.
        grid: how many blocks along each of them; never more than there are frames or pixels.
    """

    clip: tuple[int, int, int]
    grid: tuple[int, int, int]

    @classmethod
    def fitting(cls, clip: tuple[int, int, int], most: tuple[int, int, int]) -> "Blocks":
        """At most so many blocks along each side."""
        time, rows, columns = (min(sides) for sides in zip(clip, most, strict=True))
        return cls(clip, (time, rows, columns))

    def __len__(self) -> int:
        return int(np.prod(self.grid))

    @cached_property
    def _edges(self) -> list[np.ndarray]:
        """The first frame, row and column of each block."""
        return [
            -(-np.arange(blocks) * side // blocks) for side, blocks in zip(self.clip, self.grid, strict=True)
        ]

    def means(self, importance: np.ndarray) -> np.ndarray:
        """Mean of ``(T, H, W)`` over each block, shape ``(blocks,)``, float64."""
        sums = np.asarray(importance, np.float64)
        for axis, first in enumerate(self._edges):
            sums = np.add.reduceat(sums, first, axis=axis)
        sizes = [np.diff([*first, side]) for first, side in zip(self._edges, self.clip, strict=True)]
        return (sums / np.einsum("t,h,w->thw", *sizes)).ravel()

    def pixels(self, chosen: np.ndarray) -> np.ndarray:
        """Which pixels ``(T, H, W)`` lie in chosen blocks ``(blocks,)``; bool."""
        there = chosen.reshape(self.grid)
        for axis, (first, side) in enumerate(zip(self._edges, self.clip, strict=True)):
            there = np.repeat(there, np.diff([*first, side]), axis=axis)
        return there


def by_importance(means: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers of the blocks, the most important first; equal ones in a random order."""
    return np.lexsort((rng.random(len(means)), -means))


def displaced(means: np.ndarray, grid: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """The same importance at another, random place of the clip, beyond an edge in again at the other.

    An order by it replaces connected parts as the original does, which the random order of single blocks does
    not: a network may react to their many edges more than to what they hide.
    """
    shifts = [0 for _ in grid]
    while not any(shifts) and len(means) > 1:
        shifts = [int(rng.integers(side)) for side in grid]
    return np.roll(means.reshape(grid), shifts, axis=(0, 1, 2)).ravel()
