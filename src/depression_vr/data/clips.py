"""Which frames of which video make a clip. Reads no pixel.

Follows the STA-DRN release, but for its random start, which never reached the last window.
"""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

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


class WindowPlace(NamedTuple, Generic[Count]):
    """Where a window lies, or many of them as columns of the same length.

    Attributes:
        video: row of the manifest.
        window: number of the window within its video, from 0.
        start: first kept frame of the window.
    """

    video: Count
    window: Count
    start: Count


@dataclass(frozen=True, eq=False)
class WindowIndex:
    """All evaluation windows, one video after the other; a video costs 24 bytes, however long it is.

    Attributes:
        videos: rows of the manifest, shape ``(n,)``.
        spare: by how many kept frames each video is longer than a clip, shape ``(n,)``.
        ends: how many windows there are up to the end of each video, shape ``(n,)``.
        length: frames per clip.
    """

    videos: np.ndarray
    spare: np.ndarray
    ends: np.ndarray
    length: int

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def at(self, place: Count) -> WindowPlace[Count]:
        """The window at a place in ``0..len(self) - 1``, or those at an array of places.

        Raises:
            IndexError: there is no such place.
        """
        if np.any((place < 0) | (place >= len(self))):
            raise IndexError(f"there are {len(self)} windows")
        row = np.searchsorted(self.ends, place, side="right")
        video, spare = self.videos[row], self.spare[row]
        windows = _windows(spare, self.length)
        window = place - self.ends[row] + windows
        return WindowPlace(video, window, window * spare // np.maximum(windows - 1, 1))


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
    return WindowIndex(videos, spare, np.cumsum(_windows(spare, shape.length)), shape.length)


def _windows(spare: np.ndarray, length: int) -> np.ndarray:
    return 1 + -(-spare // length)


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
