"""The plots on a video's page: its windows' scores over time, and how well its face was seen."""

import base64

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depression_vr.faces.reporting.contact_sheet import STATE_COLOURS, timeline
from depression_vr.palette import GREY, PALETTE
from depression_vr.predicting.results import Estimate
from depression_vr.runs.bands import stretches
from depression_vr.svg_figures import svg

_SCORE = PALETTE[0]
_WIDTH = 9.0
_MARGIN = 4.0  # points above and below what is shown


def score_timeline(estimate: Estimate) -> str:
    """The windows' scores, each as long as its window, their mean and its interval, as URL of an SVG."""
    figure = Figure(figsize=(_WIDTH, 3.0))
    axes = figure.add_axes((0.07, 0.17, 0.82, 0.76))
    timed = estimate.windows[0].begins is not None
    for window in estimate.windows:
        frames = window.first_frame, window.last_frame
        begins, ends = (
            frames if window.begins is None or window.ends is None else (window.begins, window.ends)
        )
        axes.plot([begins, ends], [window.estimate] * 2, color=_SCORE, lw=4, solid_capstyle="butt")
    left, right = axes.get_xlim()
    scores = [window.estimate for window in estimate.windows]
    if estimate.low is not None and estimate.high is not None:
        axes.axhspan(estimate.low, estimate.high, color=_SCORE, alpha=0.15, lw=0)
        scores += [estimate.low, estimate.high]
    axes.axhline(estimate.score, color=_SCORE, lw=1.2, ls="--")
    axes.set_xlim(left, right)
    axes.set_ylim(min(scores) - _MARGIN, max(scores) + _MARGIN)
    if estimate.band is not None:
        _draw_bands(axes)
    axes.set_xlabel("time, seconds" if timed else "frame")
    axes.set_ylabel("estimate, points")
    return _url(figure, axes)


def _draw_bands(axes: Axes) -> None:
    """BDI-II's severity bands as far as they are in view."""
    low, high = axes.get_ylim()
    for name, begins, stops in stretches(low, high):
        axes.text(
            1.01, (begins + stops) / 2, name, transform=axes.get_yaxis_transform(), va="center",
            color=GREY, fontsize=9,
        )  # fmt: skip
        if stops < high:
            axes.axhline(stops, color=GREY, lw=0.6, ls=":")


def track_quality(quality: pd.DataFrame) -> str:
    """What every frame was, its sharpness and the detector's score, over time, as URL of an SVG.

    Args:
        quality: ``time, state, sharpness, score`` of every frame of the video.
    """
    figure = Figure(figsize=(_WIDTH, 3.6))
    states, sharpness, score = (
        figure.add_axes(place)
        for place in ((0.07, 0.93, 0.82, 0.05), (0.07, 0.55, 0.82, 0.33), (0.07, 0.14, 0.82, 0.33))
    )
    times = quality["time"].to_numpy(float)
    length = max(float(times[-1] - times[0]), 1e-3)
    bar = timeline(quality["state"].tolist(), width=min(960, len(quality)), height=1)
    states.imshow(bar, extent=(times[0], times[0] + length, 0, 1), aspect="auto", interpolation="nearest")
    states.set_axis_off()
    sharpness.plot(times, quality["sharpness"], color=_SCORE, lw=1)
    sharpness.set_ylabel("sharpness")
    sharpness.set_ylim(bottom=0)
    sharpness.tick_params(labelbottom=False)
    for state in ("tracked", "detected"):
        shown = quality["state"] == state
        colour = np.array(STATE_COLOURS[state]) / 255
        score.plot(times[shown], quality["score"][shown], ".", color=colour, markersize=4)
    score.set_ylabel("score")
    score.set_xlabel("time, seconds")
    for axes in (sharpness, score):
        axes.set_xlim(times[0], times[0] + length)
    return _url(figure, sharpness, score)


def _url(figure: Figure, *drawn: Axes) -> str:
    text = svg(figure, drawn, points=9, salt="predict")
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"
