"""All sanity checks of one clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from depression_vr.explaining.sanity.blocks import Blocks, by_importance, displaced
from depression_vr.explaining.sanity.deletion import ClipScores, Curves, changes, curves
from depression_vr.explaining.sanity.randomised import rank_correlation, structural

RANDOM = "random"
"""The order that every other one stands against."""


def displaced_name(method: str) -> str:
    """The name of the order by a method's maps at another place."""
    return f"{method}, displaced"


class Checked(NamedTuple):
    """What was found of one clip.

    Attributes:
        curves: a row per order, as `order_names` has them; means over the draws of random ones.
        replaced: as `changes` gives them.
        blocks: importance per block of the trained network's maps, ``(methods, blocks)``.
        spearman: of the blocks' importance with that of randomised networks, ``(methods, networks)``.
        ssim: of the maps' means over time with those of randomised networks, ``(methods, networks)``.
    """

    curves: Curves
    replaced: np.ndarray
    blocks: np.ndarray
    spearman: np.ndarray
    ssim: np.ndarray


def order_names(methods: Sequence[str]) -> list[str]:
    """Every method, every method displaced, and the random order."""
    return [*methods, *map(displaced_name, methods), RANDOM]


@dataclass(frozen=True)
class ClipChecks:
    """Checks clips of one kind.

    Attributes:
        grid: blocks along time, rows and columns, at most.
        draws: of each random order.
        seed: of random orders; with the number of the clip, for example.
    """

    grid: tuple[int, int, int]
    draws: int
    seed: tuple[int, ...]

    def check(
        self,
        pixels: np.ndarray,
        importance: Mapping[str, np.ndarray],
        randomised: Mapping[str, Sequence[np.ndarray]],
        scores: ClipScores,
        masks: np.ndarray,
    ) -> Checked:
        """Check the maps of one clip.

        Args:
            pixels: ``(T, H, W, 3)``, uint8.
            importance: 0 or more, by method, ``(T, H, W)``.
            randomised: maps of the same clip of networks with randomised weights, by method; a method that
                no network is needed for has none.
            scores: of the trained network.
            masks: of the regions, ``(regions, H, W)``.
        """
        time, height, width, _ = pixels.shape
        blocks = Blocks.fitting((time, height, width), self.grid)
        means = np.stack([blocks.means(importance[method]) for method in importance])
        networks = max(map(len, randomised.values()), default=0)
        alike = np.full((2, len(importance), networks), np.nan)
        for place, method in enumerate(importance):
            for network, other in enumerate(randomised.get(method, ())):
                alike[0, place, network] = rank_correlation(means[place], blocks.means(other))
                alike[1, place, network] = structural(importance[method].mean(axis=0), other.mean(axis=0))
        return Checked(
            self._curves(scores, pixels, blocks, means),
            changes(scores, pixels, masks),
            means,
            *alike,
        )

    def _curves(self, scores: ClipScores, pixels: np.ndarray, blocks: Blocks, means: np.ndarray) -> Curves:
        rng = np.random.default_rng(self.seed)
        ordered = [by_importance(each, rng) for each in means]
        for each in means:
            ordered += [by_importance(displaced(each, blocks.grid, rng), rng) for _ in range(self.draws)]
        ordered += [rng.permutation(len(blocks)) for _ in range(self.draws)]
        every = curves(scores, pixels, blocks, np.stack(ordered))
        return Curves(*(self._over_draws(rows, len(means)) for rows in every))

    def _over_draws(self, rows: np.ndarray, methods: int) -> np.ndarray:
        drawn = rows[methods:].reshape(methods + 1, self.draws, -1).mean(axis=1)
        return np.concatenate([rows[:methods], drawn])
