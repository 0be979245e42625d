"""Error by severity band: where a network says too much, and where too little."""

from collections.abc import Sequence

import plotly.graph_objects as go

from depression_vr.comparison.figures.estimates import mean_estimates
from depression_vr.comparison.figures.style import figure, looks
from depression_vr.comparison.measuring import MeasuredGroup
from depression_vr.runs.bands import BDI_BANDS, severity_band


def errors_by_band(groups: Sequence[MeasuredGroup]) -> go.Figure:
    """A box per group and severity band of the score: signed errors of estimates averaged over the seeds."""
    made = figure("severity band of the score", "estimate less score, points", boxmode="group")
    first = groups[0].group.replicates[0].videos
    counts = severity_band(first["label"]).value_counts()
    names, lowest = {}, 0
    for name, highest in BDI_BANDS:
        names[name] = f"{name}<br>{lowest} to {highest}<br>n={counts[name]}"
        lowest = highest + 1
    looked = looks(groups)
    for measured in groups:
        table = mean_estimates(measured.group)
        look = looked[measured.group.name]
        made.add_box(
            x=[names[band] for band in severity_band(table["label"])],
            y=table["estimate"] - table["label"],
            name=measured.group.name,
            meta=measured.group.name,
            marker={"color": look.colour, "symbol": look.symbol, "size": 5},
            line={"width": 1.5},
            text=table["video_id"],
            hovertemplate="%{text}<br>error %{y:.1f}",
        )
    made.update_xaxes(
        tickangle=0, tickfont_size=11, categoryorder="array", categoryarray=list(names.values())
    )
    return made
