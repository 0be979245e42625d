"""Learning curves: the error of every epoch."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from depression_vr.comparison.figures.style import Look, figure, looks
from depression_vr.comparison.grouping import Group
from depression_vr.comparison.measuring import MeasuredGroup

Partition = Literal["training", "development"]


def learning_curves(groups: Sequence[MeasuredGroup], partition: Partition) -> go.Figure | None:
    """MAE of every epoch: a thin line per run and a thick one for the mean over the runs of a group.

    The epoch with a run's lowest development MAE, whose checkpoint is tested where one is selected, has a
    mark. None where no run has logged the partition.
    """
    made = figure("epoch", f"{partition} MAE, points")
    looked = looks(groups)
    for measured in groups:
        _add(made, measured.group, partition, looked[measured.group.name])
    return made if made.data else None


def _add(made: go.Figure, group: Group, partition: Partition, look: Look) -> None:
    curves = [(run, run.curves.dropna(subset=partition)) for run in group.runs]
    curves = [(run, curve) for run, curve in curves if len(curve)]
    for run, curve in curves:
        told = f"{group.name}, seed {run.seed}" + ("" if run.fold is None else f", fold {run.fold}")
        hover = {"text": told, "hovertemplate": "%{text}<br>epoch %{x}, MAE %{y:.2f}", "name": ""}
        line = {"color": look.colour, "width": 1, "dash": look.dash}
        made.add_scatter(
            x=curve["epoch"],
            y=curve[partition],
            mode="lines",
            opacity=0.45,
            line=line,
            meta=group.name,
            **hover,
        )
        best = curve.loc[[curve["development"].idxmin()]] if curve["development"].notna().any() else curve[:0]
        made.add_scatter(
            x=best["epoch"],
            y=best[partition],
            mode="markers",
            marker={"color": look.colour, "symbol": look.symbol, "size": 9},
            meta=group.name,
            **hover,
        )
    if len(curves) > 1:
        mean = pd.concat([curve for _, curve in curves]).groupby("epoch")[partition].mean()
        made.add_scatter(
            x=mean.index,
            y=mean,
            mode="lines",
            line={"color": look.colour, "width": 3, "dash": look.dash},
            name="",
            text=f"{group.name}, mean",
            hovertemplate="%{text}<br>epoch %{x}, MAE %{y:.2f}",
            meta=group.name,
        )
