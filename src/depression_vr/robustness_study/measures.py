"""What a network loses under each condition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from depression_vr.comparison.agreement import METRICS, metrics_from_sums, subject_sums
from depression_vr.comparison.intervals import bootstrap_intervals
from depression_vr.robustness_study.conditions import DEGRADATIONS, Condition
from depression_vr.runs.results import agreement


def measured(
    conditions: Sequence[Condition], predictions: Mapping[Condition, pd.DataFrame], resamples: int
) -> Iterator[dict[str, Any]]:
    """A row per condition.

    MAE, RMSE and CCC over videos with their 95% intervals, and how much the MAE is above that of clean
    frames, with the interval of that difference over the same videos. Subjects are resampled with all their
    videos.

    Args:
        conditions: the first is of clean frames.
        predictions: by condition, as `video_table` gives them.
        resamples: of the bootstrap.
    """
    clean = predictions[conditions[0]]
    for condition in conditions:
        videos = predictions[condition]
        values = agreement(videos)
        intervals = bootstrap_intervals(subject_sums(videos), metrics_from_sums, resamples)
        row: dict[str, Any] = {
            "degradation": condition.degradation,
            "level": condition.level,
            "unit": "" if condition.level is None else DEGRADATIONS[condition.degradation].unit,
            "n": values["n"],
            "substituted_frames": int(videos["substituted_frames"].sum()),
        }
        for name, interval in zip(METRICS, intervals, strict=True):
            row |= {name: values[name], f"{name}_low": interval.low, f"{name}_high": interval.high}
        yield row | _change(videos, clean, resamples)


def _change(videos: pd.DataFrame, clean: pd.DataFrame, resamples: int) -> dict[str, float]:
    """How much the MAE has risen, in points."""
    more = (videos["estimate"] - videos["label"]).abs() - (clean["estimate"] - clean["label"]).abs()
    by_subject = more.groupby(videos["subject"], sort=True)
    sums = np.stack([by_subject.sum(), by_subject.size()]).astype(float)
    (interval,) = bootstrap_intervals(sums, lambda drawn: (drawn[0] / drawn[1])[np.newaxis], resamples)
    return {"mae_change": more.mean(), "mae_change_low": interval.low, "mae_change_high": interval.high}
