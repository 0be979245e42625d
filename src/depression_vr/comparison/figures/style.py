"""How a group looks in every figure, and what all figures have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from depression_vr.comparison.measuring import MeasuredGroup
from depression_vr.palette import GREY, PALETTE

_SHAPES = {
    "circle": "●", "diamond": "◆", "square": "■", "triangle-up": "▲", "star": "★", "triangle-down": "▼",
    "hexagon": "⬢", "cross": "✚",
}  # fmt: skip
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Look:
    """Colour, marker and line of a group: no two groups have all three, and colour alone tells nothing.

    Attributes:
        colour: of everything of the group.
        symbol: plotly's name of the marker.
        glyph: the marker as a character.
        dash: plotly's name of the line.
    """

    colour: str
    symbol: str
    glyph: str
    dash: str


def looks(groups: Sequence[MeasuredGroup]) -> dict[str, Look]:
    """A look for each group, by name."""
    shapes = list(_SHAPES.items())
    return {
        measured.group.name: Look(
            PALETTE[place % len(PALETTE)], *shapes[place % len(shapes)], _DASHES[place % len(_DASHES)]
        )
        for place, measured in enumerate(groups)
    }


def figure(x: str, y: str, **layout: Any) -> go.Figure:
    """An empty figure that takes page colours and width.

    Args:
        x: what the axis shows, with its unit.
        y: likewise.
        layout: more of plotly's layout.
    """
    shared: dict[str, Any] = {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": GREY},
        "margin": {"l": 48, "r": 12, "t": 24, "b": 48},
        "height": 420,
        "showlegend": False,
        "dragmode": False,  # on a phone a finger moves the page
        "hoverlabel": {"font": {"size": 13}},
    }
    made = go.Figure(layout=shared | layout)
    axis = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": GREY, "automargin": True}
    made.update_xaxes(title={"text": x, "standoff": 8}, **axis)
    made.update_yaxes(title={"text": y, "standoff": 8}, **axis)
    return made
