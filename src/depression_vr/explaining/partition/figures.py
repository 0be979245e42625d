"""Pictures of bands and regions: heat maps over mean faces, densities with intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from depression_vr.explaining.partition.bands import Band
from depression_vr.explaining.pictures.canvas import canvas
from depression_vr.faces.aligning.template_regions import REGIONS, outlines
from depression_vr.palette import GREY, PALETTE
from depression_vr.runs.in_words import counted

MAP_COLOURS = "inferno"
_MOST_SHOWN = 99.5  # percentile: one bright pixel would leave the rest dark


def band_maps(bands: Sequence[Band], method: int, name: str, places: np.ndarray) -> Figure:
    """The mean map of one method over the mean face, a column per band, all on one scale of colours.

    Args:
        bands: the bands.
        method: its place among the maps.
        name: its name.
        places: of eyes and mouth in the frames, for the outlines of the regions.
    """
    figure = canvas(2.6 * len(bands) + 0.9, 5.9)
    axes = figure.subplots(2, len(bands), squeeze=False)
    densities = [band.maps[method] * band.maps[method].size for band in bands]
    highest = max(np.percentile(density, _MOST_SHOWN) for density in densities)
    for column, (band, density) in enumerate(zip(bands, densities, strict=True)):
        face, over = axes[:, column]
        face.set_title(f"{band.name}\n{counted(band.videos, 'video')}", fontsize=10)
        height, width = density.shape
        for ax in (face, over):
            ax.imshow(np.clip(band.face / 255, 0, 1), extent=(0, 1, 1, 0), aspect=height / width)
            ax.set_xticks([])
            ax.set_yticks([])
        shown = over.imshow(
            density, MAP_COLOURS, vmin=0, vmax=highest, alpha=0.65, extent=(0, 1, 1, 0), aspect=height / width
        )
        _outline(over, places)
    axes[0, 0].set_ylabel("mean face")
    axes[1, 0].set_ylabel(name.replace("_", " "))
    bar = figure.colorbar(shown, ax=axes[1, :].tolist(), shrink=0.9)
    bar.set_label("density of importance (1: even)")
    return figure


def _outline(ax: Axes, places: np.ndarray) -> None:
    for _, polygon in outlines(places):
        ax.add_patch(Polygon(polygon, fill=False, edgecolor="white", linewidth=0.5, alpha=0.8))
    ax.set_xlim(0, 1)
    ax.set_ylim(1, 0)


def densities(table: pd.DataFrame) -> Figure:
    """Density of importance per region and band, a panel per method, with intervals over subjects.

    Args:
        table: as `region_table` gives it.
    """
    methods, bands = table["method"].unique(), table["band"].unique()
    figure = canvas(9, 2.7 * len(methods) + 0.5)
    panels = figure.subplots(len(methods), 1, squeeze=False, sharex=True)[:, 0]
    width = 0.8 / len(bands)
    for panel, method in zip(panels, methods, strict=True):
        for place, band in enumerate(bands):
            rows = table[(table["method"] == method) & (table["band"] == band)]
            x = np.arange(len(REGIONS)) + (place - (len(bands) - 1) / 2) * width
            label = f"{band} ({counted(rows['videos'].iloc[0], 'video')})"
            panel.bar(
                x,
                rows["density"],
                0.92 * width,
                color=GREY if place == 0 else PALETTE[place - 1],
                label=label,
            )
            ends = abs(rows[["density_low", "density_high"]].sub(rows["density"], axis=0).to_numpy().T)
            panel.errorbar(x, rows["density"], ends, fmt="none", ecolor="black", elinewidth=0.8, capsize=1.5)
        panel.axhline(1, color="black", linewidth=0.8, linestyle="--")
        panel.set_ylabel("share / area")
        panel.set_title(method.replace("_", " "), fontsize=10, loc="left")
    panels[-1].set_xticks(range(len(REGIONS)), REGIONS)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, fontsize=8)
    figure.supxlabel(
        "region of the face (dashed: no preference; intervals: 95%, over 5 subjects or more)", fontsize=9
    )
    return figure
