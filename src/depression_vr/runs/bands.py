"""Severity bands of the BDI-II."""

import numpy as np
import pandas as pd

BDI_BANDS = (("minimal", 13), ("mild", 19), ("moderate", 28), ("severe", 63))
"""Name and highest score of each severity band."""
BDI_MAXIMUM = 63.0
NO_DIAGNOSIS = "This is a research estimate, not a diagnosis."
"""What stands beside every estimate for a person."""


def severity_band(scores: pd.Series) -> pd.Categorical:
    """BDI-II severity band of scores in points; an estimate is rounded to the next whole score first."""
    edges = [-np.inf, *(highest + 0.5 for _, highest in BDI_BANDS[:-1]), np.inf]
    bands = pd.cut(scores, edges, right=False, labels=[name for name, _ in BDI_BANDS])
    return pd.Categorical(bands)
