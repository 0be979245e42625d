"""When the frames of a video were taken."""

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from depression_vr.data.frames import FrameFolder
from depression_vr.faces.output import QUALITY


def frame_times(folder: FrameFolder, config: DictConfig) -> np.ndarray | None:
    """Seconds from the video's beginning, ``(n,)``, of all frames of a folder; None where nobody knows.

    Preprocessing has written the time of every frame beside the frames; a synthetic corpus has a constant
    rate, ``data.frame_rate``.
    """
    numbers = [folder.name(frame).rpartition(".")[0].rpartition("_")[2] for frame in range(len(folder))]
    try:
        quality = pd.read_parquet(folder.path / QUALITY, columns=["frame", "time"])
        times = quality.set_index("frame")["time"].reindex([int(number) for number in numbers])
    except (OSError, ValueError):  # not there, damaged, or beside frames of other names
        rate = OmegaConf.select(config, "data.frame_rate")
        return None if rate is None else np.arange(len(folder)) / float(rate)
    return None if times.isna().any() else times.to_numpy()
