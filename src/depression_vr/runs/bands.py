"""Severity bands of the BDI-II."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

BDI_BANDS = (("minimal", 13), ("mild", 19), ("moderate", 28), ("severe", 63))
"""Name and highest score of each severity band."""
BDI_MAXIMUM = 63.0
_BETWEEN = [highest + 0.5 for _, highest in BDI_BANDS[:-1]]
NO_DIAGNOSIS = "This is a research estimate, not a diagnosis."
"""What stands beside every estimate for a person."""


def stretches(low: float, high: float) -> Iterator[tuple[str, float, float]]:
    """The bands between two scores: name, where it begins there, and where it ends.

    A band reaches half a point beyond its scores; the first and the last as far as is asked for.
    """
    ends = np.clip([low, *_BETWEEN, high], low, high).tolist()
    for (name, _), begins, stops in zip(BDI_BANDS, ends, ends[1:], strict=False):
        if begins < stops:
            yield name, begins, stops


def severity_band(scores: pd.Series) -> pd.Categorical:
    """BDI-II severity band of scores in points; an estimate is rounded to the next whole score first."""
    bands = pd.cut(scores, [-np.inf, *_BETWEEN, np.inf], right=False, labels=[name for name, _ in BDI_BANDS])
    return pd.Categorical(bands)
