"""Figures as SVG on pages: readable on white and on black, the same bytes each time."""

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depression_vr.palette import GREY


def svg(figure: Figure, drawn: Sequence[Axes], *, points: int, salt: str) -> str:
    """The figure as SVG without a background, its axes in grey and open to the top and right.

    Args:
        figure: to write.
        drawn: the axes to colour.
        points: size of the ticks' labels; those of the axes are one larger.
        salt: for the names within the file, which are random without.
    """
    for axes in drawn:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(colors=GREY, labelsize=points)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(color=GREY, fontsize=points + 1)
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return text.getvalue()
