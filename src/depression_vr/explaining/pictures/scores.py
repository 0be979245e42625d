"""The score of every window of a video."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depression_vr.explaining.pictures.canvas import LOWERS, NEUTRAL, RAISES, of_one_video
from depression_vr.explaining.pictures.time_axis import TimeAxis
from depression_vr.runs.bands import BDI_MAXIMUM, stretches


def score_over_time(
    title: str, scores: pd.DataFrame, axis: TimeAxis, *, label: float | None, maximum: float
) -> Figure:
    """Every window as a line from its first to its last frame, with the video's mean and its label.

    Args:
        title: above it.
        scores: as `TrainedNetwork.window_scores` gives them.
        axis: of time.
        label: the video's score, if it is known.
        maximum: the highest score of the scale; the severity bands of BDI-II are shown where it is that.
    """
    figure = of_one_video(9, 4, title)
    panel = figure.subplots()
    starts, ends = (axis.at(scores[column].to_numpy()) for column in ("first_frame", "last_frame"))
    panel.hlines(scores["estimate"], starts, ends, color=LOWERS, linewidth=3, label="estimate of a window")
    panel.plot((starts + ends) / 2, scores["estimate"], "o", color=LOWERS, markersize=4)
    mean = scores["estimate"].mean()
    panel.axhline(mean, color=NEUTRAL, label=f"estimate of the video, their mean: {mean:.1f}")
    if label is not None:
        panel.axhline(label, color=RAISES, linestyle="--", label=f"label: {label:g}")
    if maximum == BDI_MAXIMUM:
        _mark_bands(panel)
    known = [maximum, *scores["estimate"]]
    panel.set_ylim(0, np.max(known) * 1.02)
    panel.set_xlabel(axis.label)
    panel.set_ylabel("score, points")
    panel.legend(loc="upper right", fontsize=8)
    return figure


def _mark_bands(panel: Axes) -> None:
    for number, (name, low, high) in enumerate(stretches(0, BDI_MAXIMUM)):
        panel.axhspan(low, high, color="black", alpha=0.03 + 0.03 * number, linewidth=0)
        middle = (1.005, (low + high) / 2)
        panel.annotate(name, middle, xycoords=("axes fraction", "data"), fontsize=8, va="center")
