"""Where frames lie on the axis of time."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Frame numbers of one video, as its axis shows them.

    Attributes:
        times: seconds of all frames of the video, ``(n,)``; None where they are not known.
    """

    times: np.ndarray | None

    @property
    def label(self) -> str:
        """Of the axis, with its unit."""
        return "frame of the video" if self.times is None else "time, s"

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Places of frames: seconds, or else their numbers."""
        return frames.astype(float) if self.times is None else self.times[frames]

    def caption(self, frame: int) -> str:
        """Of one frame."""
        return f"frame {frame}" if self.times is None else f"{self.times[frame]:.1f} s"
