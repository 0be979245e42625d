"""Randomness as a function of what it is for, never of what ran before."""

import zlib
from enum import IntEnum

import numpy as np


class Draw(IntEnum):
    """What a random number decides."""

    ORDER = 0
    CLIP_START = 1
    AUGMENTATION = 2
    LABEL_NOISE = 3


def generator(seed: int, epoch: int, video_id: str, draw: Draw) -> np.random.Generator:
    """The generator for one decision: the same for any number of workers and devices.

    Args:
        seed: of the run, 0 or more.
        epoch: 0 or more.
        video_id: of the video, or empty for a decision about the whole epoch.
        draw: what is decided.
    """
    return np.random.default_rng((seed, epoch, zlib.crc32(video_id.encode()), draw))
