"""The videos that groups estimate most differently."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from depression_vr.comparison.figures.estimates import mean_estimates
from depression_vr.comparison.figures.style import figure, looks
from depression_vr.comparison.measuring import MeasuredGroup
from depression_vr.palette import GREY

_SHOWN = 15


def disagreements(groups: Sequence[MeasuredGroup], deciding: int) -> pd.DataFrame:
    """A row per test video, the widest range first: ``video_id, task, label, range`` and, by the group's
    name, its estimate averaged over the seeds, in points.

    Args:
        groups: the lowest MAE first.
        deciding: how many of them, the first, the range is of.
    """
    videos = groups[0].group.replicates[0].videos[["video_id", "task", "label"]]
    estimates = {measured.group.name: mean_estimates(measured.group)["estimate"] for measured in groups}
    table = pd.DataFrame(estimates)
    decisive = table.iloc[:, :deciding]
    widest = (decisive.max(axis=1) - decisive.min(axis=1)).rename("range")
    whole = pd.concat([videos, widest, table], axis=1)
    return whole.sort_values(["range", "video_id"], ascending=[False, True], ignore_index=True)


def most_disagreed(groups: Sequence[MeasuredGroup], deciding: int) -> go.Figure:
    """The estimates of the videos with the widest range, and their scores as a line across."""
    table = disagreements(groups, deciding)[:_SHOWN][::-1]
    made = figure("points", "", height=120 + 26 * len(table))
    looked = looks(groups)
    made.add_scatter(
        x=table["label"],
        y=table["video_id"],
        mode="markers",
        marker={"color": GREY, "symbol": "line-ns", "size": 18, "line": {"width": 4, "color": GREY}},
        hovertemplate="%{y}<br>score %{x:.1f}",
        name="",
    )
    for measured in groups:
        look = looked[measured.group.name]
        made.add_scatter(
            x=table[measured.group.name],
            y=table["video_id"],
            mode="markers",
            marker={"color": look.colour, "symbol": look.symbol, "size": 10, "opacity": 0.85},
            name=measured.group.name,
            meta=measured.group.name,
            hovertemplate="%{y}<br>estimate %{x:.1f}",
        )
    made.update_yaxes(type="category")
    return made
