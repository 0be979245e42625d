"""MAE, RMSE and CCC as functions of sums per subject, so that many resamples cost one indexing each."""

from typing import Any

import numpy as np
import pandas as pd

METRICS = ("mae", "rmse", "ccc")


def subject_sums(videos: pd.DataFrame) -> np.ndarray:
    """Sums over each subject's videos, float64, shape ``(9, subjects)``, subjects in the order of names.

    The rows: count, sums of |e|, e, e², x, y, x², y², xy, where e is the error and x and y are estimate and
    label less their medians: a constant estimate then has no variance, not the rounding of one.

    Args:
        videos: with ``subject``, ``label`` and ``estimate``.
    """
    error = videos["estimate"] - videos["label"]
    x, y = (videos[column] - videos[column].median() for column in ("estimate", "label"))
    terms = pd.concat([error * 0 + 1, error.abs(), error, error**2, x, y, x * x, y * y, x * y], axis=1)
    return terms.groupby(videos["subject"], sort=True).sum().to_numpy().T


def metrics_from_sums(sums: Any) -> np.ndarray:
    """MAE, RMSE and CCC, shape ``(3, ...)``, of sums over all subjects, shape ``(9, ...)``.

    CCC is Lin's (Biometrics 1989) with population moments; 0 for a constant estimate, NaN where estimate and
    label are one and the same constant.
    """
    means = sums[1:] / sums[0]
    absolute, error, squared, x, y, xx, yy, xy = means
    spread = (xx - x * x) + (yy - y * y) + error * error
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([absolute, np.sqrt(squared), 2 * (xy - x * y) / spread])


def recordings(videos: pd.DataFrame) -> pd.DataFrame:
    """One row per recording, its tasks averaged: ``subject, label, estimate``."""
    rows = videos.groupby("recording", sort=False)
    return rows.agg({"subject": "first", "label": "mean", "estimate": "mean"}).reset_index(drop=True)
