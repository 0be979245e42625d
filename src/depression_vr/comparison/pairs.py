"""Two groups on the same videos: which has the lower error, and whether that can be told from chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from depression_vr.comparison.grouping import Group
from depression_vr.comparison.intervals import ROUNDING, Interval, bootstrap_intervals, sign_flip_test

LEVEL = 0.05
_FLIPS_PER_PAIR = 2000
"""With so many, the standard error of a p of `LEVEL` over the number of pairs is a tenth of it."""


@dataclass(frozen=True)
class Pair:
    """The difference in absolute error per video, first less second, in points.

    A group's error of a video is the mean absolute error over its seeds.

    Attributes:
        first: name of a group.
        second: name of the other.
        corpus: of both.
        videos: how many.
        subjects: how many.
        difference: mean over the videos; below 0 where the first is better.
        interval: of the difference, over videos, resampled by subject.
        p: of the permutation test, signs flipped by subject.
        p_holm: corrected for all pairs of the comparison.
        effect_size: Cohen's d_z over subjects: mean of their mean differences over its standard deviation;
            NaN where that is 0.
        pairs: of the comparison, for which p is corrected.
    """

    first: str
    second: str
    corpus: str
    videos: int
    subjects: int
    difference: float
    interval: Interval
    p: float
    p_holm: float
    effect_size: float
    pairs: int

    @property
    def is_distinguishable(self) -> bool:
        """Whether chance alone would seldom give such a difference: corrected p below `LEVEL`."""
        return self.p_holm < LEVEL

    @property
    def verdict(self) -> str:
        """In words."""
        if self.is_distinguishable:
            better = self.first if self.difference < 0 else self.second
            return f"{better} is better"
        smallest = 2.0 ** (1 - self.subjects)  # p that so many signs can give
        if smallest * self.pairs >= LEVEL:
            return "too few subjects to tell"
        return "not distinguishable"


def compared(first: Group, second: Group, resamples: int, pairs: int) -> Pair:
    """The two groups, which were tested on the same videos. ``p_holm`` is not corrected yet.

    Args:
        first: a group.
        second: another.
        resamples: of the bootstrap.
        pairs: that p will be corrected for: the more there are, the smaller a p that has to be measured.
    """
    videos = first.replicates[0].videos
    difference = absolute_errors(first) - absolute_errors(second)
    by_subject = difference.groupby(videos["subject"].to_numpy(), sort=True)
    sums = np.stack([by_subject.sum(), by_subject.size()]).astype(float)
    (interval,) = bootstrap_intervals(sums, lambda drawn: (drawn[0] / drawn[1])[np.newaxis], resamples)
    p = sign_flip_test(sums[0], resamples)
    if p * pairs < 1:  # the correction may leave it below 1, where more flips tell how far
        p = sign_flip_test(sums[0], max(resamples, _FLIPS_PER_PAIR * pairs))
    return Pair(
        first=first.name,
        second=second.name,
        corpus=first.corpus,
        videos=len(videos),
        subjects=sums.shape[1],
        difference=float(difference.mean()),
        interval=interval,
        p=p,
        p_holm=p,
        effect_size=_effect_size(sums[0] / sums[1]),
        pairs=pairs,
    )


def absolute_errors(group: Group) -> pd.Series:
    """Mean over the seeds of each video's absolute error in points, by ``video_id``."""
    errors = [
        (replicate.videos["estimate"] - replicate.videos["label"]).abs() for replicate in group.replicates
    ]
    return pd.Series(np.mean(errors, axis=0), index=group.replicates[0].videos["video_id"])


def _effect_size(of_subjects: np.ndarray) -> float:
    spread = of_subjects.std(ddof=1) if len(of_subjects) > 1 else 0.0
    mean = float(of_subjects.mean())
    return mean / float(spread) if spread > ROUNDING * max(1.0, abs(mean)) else math.nan


def corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with p corrected for their number (Holm, Scandinavian Journal of Statistics 1979)."""
    if not pairs:
        return []
    p_holm = multipletests([pair.p for pair in pairs], LEVEL, method="holm")[1]
    return [replace(pair, p_holm=float(p)) for pair, p in zip(pairs, p_holm, strict=True)]
