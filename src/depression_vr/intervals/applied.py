"""Intervals of one confidence around the estimates of a network, and how many scores they cover."""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd

from depression_vr.intervals.calibration import Calibration, Kind
from depression_vr.runs.bands import BDI_MAXIMUM, severity_band

_LEVEL = 0.95
_COLUMNS = {"standard": ("low", "high"), "normalised": ("low_normalised", "high_normalised")}


@dataclass(frozen=True)
class Intervals:
    """What a calibration says about estimates, or why it says nothing.

    Attributes:
        confidence: between 0 and 1.
        calibration: None where there are no intervals.
        reason: why there are none.
    """

    confidence: float
    calibration: Calibration | None
    reason: str | None = None

    def columns(self, estimates: np.ndarray, spreads: np.ndarray) -> pd.DataFrame:
        """The ends of the intervals in points, a row per video.

        Args:
            estimates: in points, ``(m,)``.
            spreads: standard deviations of the scores of the videos' windows, in points, ``(m,)``.

        Returns:
            ``low, high, low_normalised, high_normalised``; no columns where there are no intervals.
        """
        if self.calibration is None:
            return pd.DataFrame(index=range(len(estimates)))
        ends: dict[str, np.ndarray] = {}
        for kind in get_args(Kind):
            between = self.calibration.interval(estimates, spreads, self.confidence, kind)
            ends |= dict(zip(_COLUMNS[kind], between, strict=True))
        return pd.DataFrame(ends)

    def coverage(self, videos: pd.DataFrame) -> dict[str, Any]:
        """How many scores of tested videos the intervals cover, and how wide they are.

        Args:
            videos: ``subject, label`` and the columns of `columns`.

        Returns:
            As ``intervals`` in ``metrics.json``. ``deviation`` is the standard deviation of the coverage from
            one calibration to another. The interval of a coverage is the exact binomial one of 95%
            for as many videos as there are subjects (Clopper and Pearson, Biometrika 1934): videos of one
            subject are not independent. On the BDI-II scale ``severity_bands`` has the coverage of each band
            of the labels: the confidence is that of all scores together.
        """
        found: dict[str, Any] = {"confidence": self.confidence, "reason": self.reason}
        if self.calibration is None:
            return found | {"calibration": None, **dict.fromkeys(_COLUMNS)}
        subjects = videos["subject"].nunique()
        bands = {"severity_bands": _by_band(videos)} if self.calibration.maximum == BDI_MAXIMUM else {}
        return found | {
            "calibration": {
                "corpus": self.calibration.corpus,
                "partition": self.calibration.partition,
                "videos": self.calibration.videos,
                "subjects": self.calibration.subjects,
                "selected_on": self.calibration.selected_on,
                "deviation": self.calibration.deviation(self.confidence),
                "few": self.calibration.is_few,
            },
            "subjects": subjects,
            **{
                kind: _coverage(videos["label"], videos[low], videos[high], subjects)
                for kind, (low, high) in _COLUMNS.items()
            },
            **bands,
        }


def _by_band(videos: pd.DataFrame) -> dict[str, Any]:
    """How many videos and subjects a band has, and the share that each kind covers; of bands with videos."""
    covered = {
        kind: videos["label"].between(videos[low], videos[high]) for kind, (low, high) in _COLUMNS.items()
    }
    bands = videos.assign(**covered, band=severity_band(videos["label"])).groupby("band", observed=True)
    return {
        str(band): {
            "videos": len(rows),
            "subjects": rows["subject"].nunique(),
            **{kind: float(rows[kind].mean()) for kind in _COLUMNS},
        }
        for band, rows in bands
    }


def _coverage(labels: pd.Series, lows: pd.Series, highs: pd.Series, independent: int) -> dict[str, float]:
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415, it brings scipy.stats

    covered = float(labels.between(lows, highs).mean())
    low, high = proportion_confint(covered * independent, independent, alpha=1 - _LEVEL, method="beta")
    widths = highs - lows
    return {
        "coverage": covered,
        "coverage_low": float(low),
        "coverage_high": float(high),
        "mean_width": float(widths.mean()),
        "median_width": float(widths.median()),
    }
