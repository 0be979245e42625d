"""Split conformal intervals around estimates, by crepes."""

import math
import warnings

import numpy as np

_ROUNDING = 1e-12
"""Of confidences: crepes rounds ``(1 - confidence) (n + 1)`` down, and 1 - 0.9 is a little less than 0.1."""


def kth(confidence: float, n: int) -> int:
    """Which of n residuals, counted from 1 and from the smallest, is the width; n + 1 where none is."""
    return math.ceil((confidence - _ROUNDING) * (n + 1))


def fewest(confidence: float) -> int:
    """How many residuals an interval of this confidence takes: with fewer it is infinite."""
    most = math.ceil(1 / (1 - confidence)) - 1
    return most - 1 if kth(confidence, most - 1) < most else most


def conformal_intervals(
    residuals: np.ndarray,
    estimates: np.ndarray,
    *,
    confidence: float,
    maximum: float,
    difficulties: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Intervals that hold the score of a new video with at least this probability.

    An estimate plus and minus the k-th smallest absolute residual, ``k = ceil(confidence (n + 1))``
    (Papadopoulos et al., ECML 2002), or of the residuals divided by difficulties, times the new difficulty
    (Papadopoulos et al., JAIR 2011). It holds for any network and any distribution of scores, where the new
    video and those of the residuals are exchangeable. The ends are cut at 0 and the maximum: no score is
    beyond them, so that this leaves the probability as it is.

    Args:
        residuals: errors in points of videos that the network was not trained on, ``(n,)``.
        estimates: of new videos, in points, ``(m,)``.
        confidence: the probability, between 0 and 1.
        maximum: highest score of the scale.
        difficulties: positive numbers of the calibration videos, ``(n,)``, and of the new ones, ``(m,)``;
            without them all intervals are of one width.

    Returns:
        Lower and upper ends in points, ``(m,)`` each; 0 and the maximum where n is smaller than `fewest`.
    """
    with warnings.catch_warnings():  # its import lets Python show all warnings of all packages
        from crepes import ConformalRegressor  # noqa: PLC0415, it brings scikit-learn

        known, new = difficulties or (None, None)
        warnings.simplefilter("ignore", UserWarning)  # of too few residuals, which callers tell in our words
        regressor = ConformalRegressor().fit(residuals, sigmas=known)
        ends = regressor.predict_int(
            estimates, sigmas=new, confidence=confidence - _ROUNDING, y_min=0, y_max=maximum
        )
    return ends[:, 0], ends[:, 1]
