"""Means over videos with intervals over subjects."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from depression_vr.comparison.intervals import bootstrap_intervals


@dataclass(frozen=True)
class Averages:
    """Means of k numbers over videos, and the ends of their 95% intervals, each of the shape of one video's.

    Attributes:
        mean: over videos.
        low: lower end; NaN where there is no interval.
        high: upper end.
        videos: how many.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    videos: int


def averages(values: np.ndarray, subjects: pd.Series, resamples: int) -> Averages:
    """Means over videos; the bootstrap draws whole subjects.

    Args:
        values: one row per video, ``(videos, ...)``.
        subjects: of the videos, in their order.
        resamples: of the bootstrap.
    """
    flat = values.reshape(len(values), -1)
    counted = pd.DataFrame(np.column_stack([np.ones(len(flat)), flat]))
    sums = counted.groupby(subjects.to_numpy(), sort=True).sum().to_numpy().T
    intervals = bootstrap_intervals(sums, lambda drawn: drawn[1:] / drawn[0], resamples)
    low, high = np.array([(interval.low, interval.high) for interval in intervals]).T
    shape = values.shape[1:]
    return Averages(flat.mean(axis=0).reshape(shape), low.reshape(shape), high.reshape(shape), len(flat))
