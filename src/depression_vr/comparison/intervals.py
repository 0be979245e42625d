"""Bootstrap intervals over videos, resampled by subject, and a permutation test by subject.

Videos of one subject are not independent: whole subjects are drawn, and flipped, with all their videos.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from depression_vr.runs.in_words import counted

FEWEST_SUBJECTS = 5
"""Of four there are 35 different resamples: the 2.5% that an interval leaves out at either end are none."""

ROUNDING = 1e-12
"""Of numbers around 1: sums in another order differ by so much."""

_CONFIDENCE = 0.95
_SEED = 0
_NUMBERS_AT_ONCE = 2**20


@dataclass(frozen=True)
class Interval:
    """A 95% interval; both ends are NaN where there is none.

    Attributes:
        low: lower end.
        high: upper end.
        missing: why there is none.
    """

    low: float
    high: float
    missing: str = ""


def bootstrap_intervals(
    sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], resamples: int
) -> list[Interval]:
    """BCa intervals of several statistics (Efron, JASA 1987), by `scipy.stats.bootstrap`.

    BCa and not percentiles: RMSE and CCC are skewed and biased in resamples of few subjects, and percentiles
    carry that bias twice.

    Args:
        sums: over each subject, shape ``(..., subjects)``; subjects are drawn with replacement.
        statistic: takes sums over the drawn subjects, shape ``(..., resamples)``, and gives
            ``(statistics, resamples)``.
        resamples: how many.
    """
    subjects = sums.shape[-1]
    statistics = len(statistic(sums.sum(axis=-1, keepdims=True)))
    if subjects < FEWEST_SUBJECTS:
        few = f"only {counted(subjects, 'subject')}"
        return [Interval(math.nan, math.nan, few)] * statistics

    def of_drawn(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        return statistic(sums[..., drawn].sum(axis=axis))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what has no spread is found below
        result = stats.bootstrap(
            (np.arange(subjects),),
            of_drawn,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, _NUMBERS_AT_ONCE // sums.size),
            confidence_level=_CONFIDENCE,
            method="BCa",
            rng=np.random.default_rng(_SEED),
        )
    ends = np.stack(result.confidence_interval, axis=-1)  # (statistics, 2)
    distribution = result.bootstrap_distribution
    is_constant = np.ptp(distribution, axis=-1) <= ROUNDING * np.maximum(1, np.abs(distribution).max(axis=-1))
    return [
        Interval(float(a), float(b))
        if np.isfinite([a, b]).all() and not constant
        else Interval(math.nan, math.nan, "the same in every resample" if constant else "not defined")
        for (a, b), constant in zip(ends, is_constant, strict=True)
    ]


def sign_flip_test(differences: np.ndarray, resamples: int) -> float:
    """p of both sides that signs of the subjects' sums of differences are random, by scipy's
    `permutation_test`: exact where there are at most ``resamples`` patterns of signs.

    Args:
        differences: sum over each subject's videos, shape ``(subjects,)``.
        resamples: random patterns of signs otherwise.
    """
    if len(differences) < 2:
        return 1.0
    result = stats.permutation_test(
        (differences,),
        lambda flipped, axis: flipped.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _NUMBERS_AT_ONCE // len(differences)),
        rng=np.random.default_rng(_SEED),
    )
    return float(result.pvalue)
