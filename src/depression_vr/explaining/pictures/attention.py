"""The attention that STA-DRN and its ablations compute, by stage and group."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depression_vr.explaining.own_attention import StaAttention
from depression_vr.explaining.pictures.canvas import of_one_video, without_ticks
from depression_vr.explaining.pictures.time_axis import TimeAxis
from depression_vr.palette import PALETTE


def sta_attention(
    title: str, attention: StaAttention, frame: np.ndarray, windows: Sequence[np.ndarray], axis: TimeAxis
) -> Figure:
    """A row per stage: spatial maps of every group beside a mean frame, and temporal curves of every group.

    Args:
        title: above it.
        attention: of the explained windows.
        frame: mean of the frames, ``(H, W, 3)``, uint8.
        windows: numbers of the frames of each, ``(T,)``.
        axis: of time.
    """
    stages = sorted(attention.spatial or attention.temporal)
    maps = 1 + attention.groups if attention.spatial else 0
    curves = 1 if attention.temporal else 0
    figure = of_one_video(1.7 * maps + 6.5 * curves + 0.8, 1.8 * len(stages) + 1.2, title)
    panels = figure.subplots(
        len(stages), maps + curves, squeeze=False, width_ratios=[1] * maps + [3.8] * curves
    )
    for row, stage in zip(panels, stages, strict=True):
        if attention.spatial:
            _show_maps(figure, row[:maps], stage, attention.spatial[stage], frame)
        if attention.temporal:
            _show_curves(row[-1], stage, attention.temporal[stage], windows, axis)
    if attention.temporal:
        first, last = axis.at(np.array([windows[0][0], windows[-1][-1]]))
        for panel in panels[:, -1]:
            panel.set_xlim(first, last if last > first else first + 1)
        panels[0, -1].legend(fontsize=8, loc="upper right")
        panels[-1, -1].set_xlabel(axis.label)
    return figure


def _show_maps(figure: Figure, row: Sequence[Axes], stage: int, maps: np.ndarray, frame: np.ndarray) -> None:
    row[0].imshow(frame)
    row[0].set_ylabel(f"stage {stage}, {maps.shape[1]}x{maps.shape[2]}", fontsize=9)
    even = 1 / len(maps) if len(maps) > 1 else float(maps.mean())  # a single group competes with nothing
    reach = float(np.abs(maps - even).max()) or 1e-6
    for group, (panel, shown) in enumerate(zip(row[1:], maps, strict=True), 1):
        picture = panel.imshow(shown, cmap="PuOr_r", vmin=even - reach, vmax=even + reach)
        if stage == 1:
            panel.set_title(f"group {group}", fontsize=9)
    for panel in row:
        without_ticks(panel)
    figure.colorbar(picture, ax=list(row), label="attention", fraction=0.04, pad=0.02)


def _show_curves(
    panel: Axes, stage: int, curves: np.ndarray, windows: Sequence[np.ndarray], axis: TimeAxis
) -> None:
    for number, (frames, of_groups) in enumerate(zip(windows, curves, strict=True)):
        steps = of_groups.shape[1]
        middles = frames[(2 * np.arange(steps) + 1) * len(frames) // (2 * steps)]
        for group, curve in enumerate(of_groups):
            panel.plot(
                axis.at(middles), curve, color=PALETTE[group % len(PALETTE)], marker=".",
                markersize=4, label=None if number else f"group {group + 1}",
            )  # fmt: skip
    panel.set_ylabel("attention", fontsize=9)
    panel.set_title(f"over time, stage {stage}", fontsize=9)
    panel.grid(alpha=0.3)
