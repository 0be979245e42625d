"""Estimate against score: where a perfect network has all videos on one line."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from depression_vr.comparison.figures.style import figure, looks
from depression_vr.comparison.grouping import Group
from depression_vr.comparison.measuring import MeasuredGroup
from depression_vr.palette import GREY
from depression_vr.runs.bands import stretches


def mean_estimates(group: Group) -> pd.DataFrame:
    """The test videos with ``estimate`` averaged over the seeds."""
    estimates = [replicate.videos["estimate"] for replicate in group.replicates]
    return group.replicates[0].videos.assign(estimate=np.mean(estimates, axis=0))


def estimates_against_scores(groups: Sequence[MeasuredGroup]) -> go.Figure:
    """A point per group and test video, estimates averaged over the seeds; the severity bands of BDI-II."""
    made = figure("score, points", "estimate, points")
    looked = looks(groups)
    tables = {measured.group.name: mean_estimates(measured.group) for measured in groups}
    points = pd.concat(tables.values())[["label", "estimate"]].to_numpy()
    ends = float(points.min()), float(points.max())
    made.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dash", "width": 1}, hoverinfo="skip"
    )
    if all(measured.group.is_bdi for measured in groups):
        _add_bands(made, *ends)
    for name, table in tables.items():
        look = looked[name]
        made.add_scatter(
            x=table["label"],
            y=table["estimate"],
            mode="markers",
            name=name,
            meta=name,
            marker={"color": look.colour, "symbol": look.symbol, "size": 7, "opacity": 0.75},
            customdata=table["video_id"],
            hovertemplate="%{customdata}<br>score %{x:.1f}, estimate %{y:.1f}",
        )
    return made


def _add_bands(made: go.Figure, low: float, high: float) -> None:
    for place, (name, left, right) in enumerate(stretches(low - 1, high + 1)):
        made.add_vrect(
            x0=left,
            x1=right,
            line_width=0,
            layer="below",
            fillcolor=GREY,
            opacity=0.14 if place % 2 else 0.04,
        )
        made.add_annotation(
            x=(left + right) / 2,
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            text=name,
            font_size=11,
        )
