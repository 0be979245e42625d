"""The relations and gates that PLEGDF-FGLSCF computes."""

import numpy as np
from matplotlib.figure import Figure

from depression_vr.explaining.own_attention import BINS, PlegdfAttention
from depression_vr.explaining.pictures.canvas import of_one_video, without_ticks
from depression_vr.palette import PALETTE

_GATES = {
    "correlation": "w: how far a feature of the whole face agrees with the local one",
    "semantics": "v: how much of a fused feature counts",
}


def relation_maps(title: str, attention: PlegdfAttention, frame: np.ndarray) -> Figure:
    """The weights of every related stage on the whole face, mean over time, beside a mean frame.

    Args:
        title: above it.
        attention: of the explained windows.
        frame: mean of the frames, ``(H, W, 3)``, uint8.
    """
    stages = attention.relations
    figure = of_one_video(2.9 * (1 + len(stages)), 3.4, title)
    first, *panels = figure.subplots(1, 1 + len(stages))
    first.imshow(frame)
    first.set_title("mean frame", fontsize=9)
    for panel, (stage, weights) in zip(panels, stages.items(), strict=True):
        picture = panel.imshow(weights, cmap="inferno")
        height, width = weights.shape
        panel.axhline(height / 2 - 0.5, color="white", linewidth=0.6)
        panel.axvline(width / 2 - 0.5, color="white", linewidth=0.6)
        panel.set_title(f"stage {stage}, {height}x{width}", fontsize=9)
        figure.colorbar(picture, ax=panel, label="weight", fraction=0.046)
    for panel in (first, *panels):
        without_ticks(panel)
    return figure


def gate_histograms(title: str, attention: PlegdfAttention) -> Figure:
    """How many features have a gate of which value, over all explained windows."""
    figure = of_one_video(9, 3.6, title)
    panels = figure.subplots(1, len(_GATES), sharey=True)
    for panel, (name, told) in zip(panels, _GATES.items(), strict=True):
        panel.stairs(attention.gates[name], BINS, fill=True, color=PALETTE[0])
        panel.set_title(told, fontsize=9)
        panel.set_xlabel("gate, 0 to 1")
    panels[0].set_ylabel("features")
    return figure
