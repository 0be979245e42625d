"""Importance over time, under the frames it belongs to."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depression_vr.explaining.attributions import METHODS
from depression_vr.explaining.pictures.canvas import LOWERS, NEUTRAL, RAISES, of_one_video
from depression_vr.explaining.pictures.heat import heat, shown
from depression_vr.explaining.pictures.time_axis import TimeAxis
from depression_vr.explaining.timeline import Timeline

_FRAMES = 12
_COLOURS = {"importance": NEUTRAL, "raises the estimate": RAISES, "lowers the estimate": LOWERS}


def temporal_curve(title: str, timeline: Timeline, axis: TimeAxis) -> Figure:
    """A strip of frames under their heat map, each above its time, and the importance of every frame."""
    figure = of_one_video(13, 4.2, title)
    strip, panel = figure.subplots(2, sharex=True, height_ratios=(1, 2))
    times = axis.at(timeline.frames)
    _show_strip(strip, timeline, times)
    method = METHODS[timeline.method]
    breaks = timeline.breaks()
    for name, curve in timeline.curves().items():
        panel.plot(
            np.insert(times, breaks, np.nan), np.insert(curve.astype(float), breaks, np.nan),
            color=_COLOURS[name], label=name, marker=".", markersize=3,
        )  # fmt: skip
    panel.set_xlabel(axis.label)
    panel.set_ylabel("points per frame" if method.sums else f"{method.unit},\nmean over the frame")
    panel.grid(alpha=0.3)
    if method.signed:
        panel.axhline(0, color="black", linewidth=0.6)
        panel.legend(loc="best", fontsize=8)
    return figure


def _show_strip(strip: Axes, timeline: Timeline, times: np.ndarray) -> None:
    """One frame in each of some equal parts of the axis: that nearest to its middle, if it lies within."""
    importance = shown(timeline)
    colours = heat(timeline.method, importance)
    edges = (
        np.linspace(times[0], times[-1], _FRAMES + 1) if len(times) > 1 else times[0] + np.array([-0.5, 0.5])
    )
    for start, end in pairwise(edges):
        place = int(np.abs(times - (start + end) / 2).argmin())
        if start <= times[place] <= end:
            picture = colours.over(timeline.pixels[place], importance[place])
            strip.imshow(picture, extent=(start, end, 0, 1), aspect="auto")
    strip.set_xlim(edges[0], edges[-1])
    strip.set_axis_off()
