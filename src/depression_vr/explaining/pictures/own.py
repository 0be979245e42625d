"""The pictures of what a network itself attends to, whichever network it is."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from depression_vr.explaining.chosen_video import ChosenVideo
from depression_vr.explaining.own_attention import PlegdfAttention, StaAttention
from depression_vr.explaining.pictures.attention import sta_attention
from depression_vr.explaining.pictures.canvas import save
from depression_vr.explaining.pictures.relations import gate_histograms, relation_maps
from depression_vr.models.plegdf_fglscf import PlegdfFglscf
from depression_vr.models.sta_drn import StaDrn

OWN_PICTURES = _ATTENTION, _RELATIONS, _GATES = (
    "attention_by_stage.png",
    "relations_by_stage.png",
    "gates.png",
)


def save_own_attention(video: ChosenVideo, clips: list[Tensor], title: str, out: Path) -> dict[str, Any]:
    """Draw the attention of a network that has such, and give it as numbers; nothing for others.

    Args:
        video: the video.
        clips: pixels of its explained windows, ``(T, 3, H, W)``, uint8.
        title: above every picture.
        out: the folder.
    """
    module, network = video.trained.module, video.trained.module.network
    windows = (video.cut.views(clip[None], video.trained.device) for clip in clips)
    frame = np.mean([clip.float().mean(0).numpy() for clip in clips], axis=0).transpose(1, 2, 0)
    frame = frame.astype(np.uint8)
    if isinstance(network, StaDrn):
        sta = StaAttention.of(module, windows)
        frames = [window.frames for window in video.explained]
        save(sta_attention(title, sta, frame, frames, video.axis), out / _ATTENTION)
        return sta.as_dict()
    if isinstance(network, PlegdfFglscf):
        plegdf = PlegdfAttention.of(module, windows)
        if plegdf.relations:
            save(relation_maps(title, plegdf, frame), out / _RELATIONS)
        if plegdf.gates:
            save(gate_histograms(title, plegdf), out / _GATES)
        return plegdf.as_dict()
    return {}
