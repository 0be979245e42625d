"""Figures of the sanity checks: curves, replaced regions, randomised weights."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from depression_vr.explaining.partition.sanity_tables import ANOTHER_VIDEO
from depression_vr.explaining.pictures.canvas import canvas
from depression_vr.explaining.sanity.checking import RANDOM, displaced_name
from depression_vr.palette import GREY, PALETTE


def curve_figure(curves: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Deletion above, insertion below, a column per map: its order, the same displaced, random blocks.

    Args:
        curves: as `curve_table` gives it.
        names: of the maps.
    """
    figure = canvas(3.3 * len(names) + 0.6, 6.2)
    panels = figure.subplots(2, len(names), squeeze=False, sharey=True, sharex=True)
    titles = {"deletion": "replaced", "insertion": "shown, the rest replaced"}
    for column, name in enumerate(names):
        looks = {
            name: (PALETTE[0], "-", "by importance"),
            displaced_name(name): (PALETTE[1], "--", "map displaced"),
            RANDOM: (GREY, ":", "random blocks"),
        }
        for row, (curve, what) in enumerate(titles.items()):
            panel = panels[row, column]
            for order, (colour, dashes, label) in looks.items():
                rows = curves[(curves["order"] == order) & (curves["curve"] == curve)]
                x = 100 * rows["fraction"]
                panel.plot(x, rows["distance"], dashes, color=colour, label=label, marker=".", markersize=4)
                panel.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.12, linewidth=0)
            panel.set_xlabel(f"% of the clip {what}", fontsize=9)
            panel.set_ylim(bottom=0)
        panels[0, column].set_title(name.replace("_", " "), fontsize=10)
        panels[0, column].xaxis.set_tick_params(labelbottom=True)
    for row, curve in enumerate(titles):
        panels[row, 0].set_ylabel(f"{curve}: distance from\nthe clip's score, points")
    panels[0, -1].legend(fontsize=8)
    return figure


def replaced_figure(table: pd.DataFrame) -> Figure:
    """How far the score moves without each region: as it is, and per hundredth of the frame's area."""
    figure = canvas(9, 3.4)
    panels = figure.subplots(1, 2, sharey=True)
    for panel, unit, per in (
        (panels[0], "distance from the clip's score, points", np.ones(len(table))),
        (panels[1], "the same, points per 1% of the frame", 100 * table["area"].to_numpy()),
    ):
        values, low, high = (table[column] / per for column in ("distance", "low", "high"))
        y = np.arange(len(table))
        panel.barh(y, values, color=PALETTE[0])
        panel.errorbar(values, y, xerr=[values - low, high - values], fmt="none", ecolor="black", capsize=2)
        panel.set_xlabel(unit)
        panel.locator_params(axis="x", nbins=5)
    panels[0].set_yticks(range(len(table)), [name.partition(":")[0] for name in table["replaced"]])
    panels[0].invert_yaxis()
    panels[0].set_ylabel("replaced")
    return figure


def randomised_figure(table: pd.DataFrame) -> Figure:
    """Likeness of maps to those of networks with more and more randomised weights, a line per method."""
    measures = {"spearman": "rank correlation (Spearman)", "ssim": "structural similarity (SSIM)"}
    figure = canvas(9, 3.6)
    cascade = table[table["randomised"] != ANOTHER_VIDEO]
    parts = [*cascade["randomised"].unique()]
    for panel, (measure, label) in zip(figure.subplots(1, 2, sharex=True), measures.items(), strict=True):
        for place, method in enumerate(table["method"].unique()):
            rows = cascade[(cascade["method"] == method) & (cascade["measure"] == measure)]
            ends = abs(rows[["low", "high"]].sub(rows["mean"], axis=0).to_numpy().T)
            name = method.replace("_", " ")
            panel.errorbar(
                range(len(parts)), rows["mean"], ends, marker="o", capsize=2, color=PALETTE[place], label=name
            )
            other = table[
                (table["method"] == method)
                & (table["randomised"] == ANOTHER_VIDEO)
                & (table["measure"] == measure)
            ]
            for level in other["mean"]:
                panel.axhline(level, color=PALETTE[place], linestyle=":", linewidth=1)
        panel.axhline(0, color="black", linewidth=0.6)
        panel.set_xticks(range(len(parts)), parts, rotation=30, ha="right")
        panel.set_xlabel("randomised from the output to here (dotted: map of another video)", fontsize=8)
        panel.set_ylabel(label)
        panel.set_ylim(top=1.02)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, fontsize=8)
    return figure
