"""Which frames of which video make a clip. Reads no pixel.

Follows the STA-DRN release, but for its random start, which never reached the last window.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

Count = TypeVar("Count", int, np.ndarray)


@dataclass(frozen=True)
class ClipShape:
    """How a clip is cut from a video.

    Attributes:
        length: frames per clip, T.
        step: every how many frames of the video one is kept.
    """

    length: int
    step: int

    def kept(self, frames: Count) -> Count:
        """How many frames remain of videos of ``frames`` frames when every ``step``-th is kept."""
        return -(-frames // self.step)


class Window(NamedTuple):
    """One clip of one video, by row of the manifest."""

    video: int
    window: int
    frames: np.ndarray


class WindowIndex(NamedTuple):
    """All evaluation windows, as three columns of the same length.

    Attributes:
        video: row of the manifest.
        window: number of the window within its video, from 0.
        start: first kept frame of the window.
    """

    video: np.ndarray
    window: np.ndarray
    start: np.ndarray


def evaluation_windows(videos: np.ndarray, frames: np.ndarray, shape: ClipShape) -> WindowIndex:
    """Windows that together cover every kept frame of every video.

    A video of n kept frames, n > T, has S = ceil(n / T) windows; window i starts at
    ``int(i * (T - (S * T - n) / (S - 1)))``, which is ``i * (n - T) // (S - 1)``. A shorter one has one.

    Args:
        videos: rows of the manifest, shape ``(n,)``.
        frames: frames of each of these videos, shape ``(n,)``, 1 or more.
        shape: how clips are cut.
    """
    spare = np.maximum(shape.kept(frames) - shape.length, 0)
    windows = 1 + -(-spare // shape.length)
    first = np.cumsum(windows) - windows
    window = np.arange(windows.sum()) - np.repeat(first, windows)
    start = window * np.repeat(spare, windows) // np.repeat(np.maximum(windows - 1, 1), windows)
    return WindowIndex(np.repeat(videos, windows), window, start)


def training_start(frames: int, shape: ClipShape, generator: np.random.Generator) -> int:
    """A random first kept frame in ``0..n - T``, the last window included; 0 for a short video."""
    spare = max(shape.kept(frames) - shape.length, 0)
    return int(generator.integers(spare + 1))


def clip_frames(frames: int, start: int, shape: ClipShape) -> np.ndarray:
    """Numbers of the frames of one clip within its video, shape ``(T,)``.

    A video of n <= T kept frames is stretched: position i shows kept frame ``i * n // T``.
    """
    positions = np.arange(shape.length)
    kept = shape.kept(frames)
    kept_frames = positions * kept // shape.length if kept <= shape.length else start + positions
    return kept_frames * shape.step
