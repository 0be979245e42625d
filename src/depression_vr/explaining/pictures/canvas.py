"""What all pictures have in common."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depression_vr.files import replacing
from depression_vr.runs.bands import NO_DIAGNOSIS

_DOTS_PER_INCH = 110
RAISES, LOWERS, NEUTRAL = "#c0392b", "#2f6fb5", "#444444"


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    return Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")


def of_one_video(width: float, height: float, title: str) -> Figure:
    """An empty figure of so many inches about one person, with a title that may hold an estimate."""
    figure = canvas(width, height)
    figure.suptitle(title)
    figure.supxlabel(NO_DIAGNOSIS, fontsize=8, color=NEUTRAL)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a PNG file, whole or not at all."""
    with replacing(path) as file:
        figure.savefig(file, format="png")


def without_ticks(axes: Axes) -> None:
    """A picture has no scale."""
    axes.set_xticks([])
    axes.set_yticks([])
