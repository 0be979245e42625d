"""What a calibration is, on the terminal."""

from typing import get_args

import numpy as np

from depression_vr.intervals.calibration import Calibration, Kind
from depression_vr.runs.in_words import percent


def print_calibration(calibration: Calibration, confidence: float) -> None:
    """Print what a calibration rests on, how wide its intervals are and what one has to know of them."""
    videos = calibration.videos
    of_each = "" if videos == calibration.subjects else f", one of their {videos} videos each"
    print(
        f"calibrated on {calibration.counted} of {calibration.corpus}{of_each} "
        f"({calibration.partition} partition)"
    )
    if (reason := calibration.too_few(confidence)) is not None:
        print(f"intervals of {percent(confidence)}: none, {reason}")
    else:
        spreads = np.asarray(calibration.spreads)
        half = {
            kind: np.minimum(calibration.half_widths(spreads, confidence, kind), calibration.maximum)
            for kind in get_args(Kind)
        }
        print(
            f"intervals of {percent(confidence)}: standard ±{half['standard'][0]:.1f} points; of these "
            f"videos normalised ±{half['normalised'].min():.1f} to ±{half['normalised'].max():.1f} points"
        )
    for remark in calibration.remarks(confidence):
        print(f"note: {remark}")
