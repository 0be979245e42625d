"""MAE under every degradation: one panel each, a line per run."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from depression_vr.files import replacing
from depression_vr.palette import PALETTE
from depression_vr.robustness_study.conditions import CLEAN, DEGRADATIONS

_COLUMNS = 4
_MARKERS = "oDs^*vhP"
_GREY = "#606060"
_MOST_WITH_INTERVALS = 3


def write_figure(figure: Figure, files: Sequence[Path]) -> None:
    """Write a figure as PNG or PDF, by the files' names; the same figure gives the same bytes."""
    for file in files:
        drawn = io.BytesIO()
        metadata = {"CreationDate": None} if file.suffix == ".pdf" else {}
        figure.savefig(drawn, format=file.suffix[1:], dpi=150, metadata=metadata)
        with replacing(file) as written:
            written.write(drawn.getvalue())


def draw_study(table: pd.DataFrame, mean_predictors: Mapping[str, float]) -> Figure:
    """The table of a study as curves.

    Levels are evenly spaced; frames as they are stand where the level would be that changes nothing. Each
    panel has its own scale, from 0 to the mean predictor or beyond: one degradation that ruins a network
    would make lines of all others.

    Args:
        table: as `measured` gives its rows.
        mean_predictors: MAE of the mean predictor of each run's training labels, in points.
    """
    names = [name for name in DEGRADATIONS if (table["degradation"] == name).any()]
    columns = min(_COLUMNS, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)  # the legend has a panel too
    runs = table["run"].unique().tolist()
    figure = Figure(figsize=(3.4 * columns, 3 * rows), layout=ConstrainedLayoutEngine(h_pad=0.1))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for name, axes in zip(names, panels, strict=False):
        _draw(axes, name, table)
        for mae, colour in _mean_predictor_lines(runs, mean_predictors):
            axes.axhline(mae, color=colour, lw=1, ls=":")
        axes.set_ylim(bottom=0)
    for axes in panels[::columns][: -(-len(names) // columns)]:
        axes.set_ylabel("MAE, points")
    for axes in panels[len(names) :]:
        axes.axis("off")
    has_intervals = len(runs) <= _MOST_WITH_INTERVALS and bool(table["mae_low"].notna().any())
    handles = _legend(runs, bool(mean_predictors), has_intervals)
    panels[len(names)].legend(handles=handles, loc="upper left", frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, name: str, table: pd.DataFrame) -> None:
    kind = DEGRADATIONS[name]
    levels = list(dict.fromkeys(table.loc[table["degradation"] == name, "level"]))
    clean_at = 0 if kind.identity is None else sum(level < kind.identity for level in levels)
    ticks = [*(f"{level:g}" for level in levels)]
    ticks.insert(clean_at, "none" if kind.identity is None else f"{kind.identity:g}")
    runs = table["run"].unique()
    for place, run in enumerate(runs):
        colour, marker = _look(place)
        of_run = table[table["run"] == run]
        clean = of_run[of_run["degradation"] == CLEAN]
        degraded = of_run[of_run["degradation"] == name].set_index("level").loc[levels]
        line = pd.concat([degraded[:clean_at], clean, degraded[clean_at:]])
        at = np.arange(len(line))
        axes.axhline(clean["mae"].item(), color=colour, lw=1, ls="--", alpha=0.6)
        axes.plot(at, line["mae"], color=colour, marker=marker, ms=4, lw=1.4)
        axes.plot(clean_at, clean["mae"].item(), color=colour, marker=marker, ms=6, mfc="white")
        if len(runs) <= _MOST_WITH_INTERVALS:
            low, high = (line[end].astype(float) for end in ("mae_low", "mae_high"))
            axes.fill_between(at, low, high, color=colour, alpha=0.15, lw=0)
    axes.set_xticks(range(len(ticks)), ticks, fontsize=8)
    axes.set_title(kind.title, fontsize=10, fontweight="bold")
    axes.set_xlabel(kind.unit, fontsize=8.5)
    axes.tick_params(axis="y", labelsize=8, labelleft=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", lw=0.6)
    axes.set_axisbelow(True)


def _mean_predictor_lines(
    runs: Sequence[str], mean_predictors: Mapping[str, float]
) -> Iterator[tuple[float, str]]:
    """MAE and colour: one grey line where all runs were trained on the same labels, else the runs' own."""
    if len({*mean_predictors.values()}) == 1:
        yield next(iter(mean_predictors.values())), _GREY
        return
    for place, run in enumerate(runs):
        if run in mean_predictors:
            yield mean_predictors[run], _look(place)[0]


def _look(place: int) -> tuple[str, str]:
    return PALETTE[place % len(PALETTE)], _MARKERS[place % len(_MARKERS)]


def _legend(runs: Sequence[str], has_mean_predictor: bool, has_intervals: bool) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=_look(place)[0], marker=_look(place)[1], ms=4, lw=1.4, label=run)
        for place, run in enumerate(runs)
    ]
    handles.append(
        Line2D([], [], color=_GREY, marker="o", ls="--", lw=1, mfc="white", label="frames as they are")
    )
    if has_mean_predictor:
        handles.append(Line2D([], [], color=_GREY, ls=":", lw=1, label="mean predictor"))
    if has_intervals:
        handles.append(Patch(color=_GREY, alpha=0.15, lw=0, label="95% interval over subjects"))
    return handles
