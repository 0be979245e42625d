"""Frames of a video and the same frames under their heat map."""

import numpy as np
from matplotlib.figure import Figure

from depression_vr.explaining.attributions import METHODS
from depression_vr.explaining.pictures.canvas import of_one_video
from depression_vr.explaining.pictures.heat import heat, shown
from depression_vr.explaining.pictures.time_axis import TimeAxis
from depression_vr.explaining.timeline import Timeline

_IN_A_ROW = 8
_MOST = 16
_GAP, _CAPTION = 0.06, 0.22
"""Of a frame's height: between frames, and above a pair of them."""


def contact_sheet(title: str, timeline: Timeline, axis: TimeAxis) -> Figure:
    """Up to sixteen frames, spread evenly, with their times, the heat map over each, and its scale."""
    count = min(len(timeline.frames), _MOST)
    places = (2 * np.arange(count) + 1) * len(timeline.frames) // (2 * count)
    columns = min(count, _IN_A_ROW)
    rows = -(-count // columns)
    importance = shown(timeline)
    colours = heat(timeline.method, importance)
    height, width = timeline.pixels.shape[1:3]
    gap, caption = (max(round(share * height), 1) for share in (_GAP, _CAPTION))
    # one picture of all frames: an axis for each would take seconds
    row_height, column_width = caption + 2 * height + gap, width + gap
    sheet = np.full((rows * row_height, columns * column_width - gap, 3), 255, np.uint8)
    figure = of_one_video(1.35 * columns + 1.5, 1.35 * columns * sheet.shape[0] / sheet.shape[1] + 0.9, title)
    panel = figure.subplots()
    for number, place in enumerate(places):
        row, column = divmod(number, columns)
        top, left = row * row_height + caption, column * column_width
        across = slice(left, left + width)
        pixels = timeline.pixels[place]
        sheet[top : top + height, across] = pixels
        sheet[top + height + gap : top + 2 * height + gap, across] = colours.over(pixels, importance[place])
        told = axis.caption(int(timeline.frames[place]))
        panel.text(left + width / 2, top - 0.04 * height, told, ha="center", va="bottom", fontsize=8)
    panel.imshow(sheet)
    panel.set_axis_off()
    figure.colorbar(colours.scale, ax=panel, label=_scale_label(timeline.method), fraction=0.03, pad=0.01)
    return figure


def _scale_label(method: str) -> str:
    sides = "; red raises, blue lowers the estimate" if METHODS[method].signed else ""
    return f"{METHODS[method].unit}{sides}"
