"""What was found in the windows of a video, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from depression_vr.data.clips import Window
from depression_vr.explaining.attributions import METHODS, Attribution


@dataclass(frozen=True, eq=False)
class Timeline:
    """Importance of the frames of a video that some of its windows show.

    Attributes:
        method: its name.
        frames: their numbers in the video, from 0, increasing, ``(n,)``.
        importance: ``(n, H, W)``; of a frame in several windows the mean. Of one that a window of a short
            video shows several times the mean, too, but the sum where values are shares of a whole.
        pixels: ``(n, H, W, 3)``, uint8.
    """

    method: str
    frames: np.ndarray
    importance: np.ndarray
    pixels: np.ndarray

    def curves(self) -> dict[str, np.ndarray]:
        """Importance of every frame, ``(n,)`` each, by name.

        Where values are shares of a whole it is a frame's sum, otherwise its mean. What raises and what
        lowers the estimate has a curve of its own.
        """
        method = METHODS[self.method]
        total = np.sum if method.sums else np.mean
        if not method.signed:
            return {"importance": total(self.importance, axis=(1, 2))}
        return {
            "raises the estimate": total(self.importance.clip(min=0), axis=(1, 2)),
            "lowers the estimate": total(self.importance.clip(max=0), axis=(1, 2)),
        }

    def breaks(self) -> np.ndarray:
        """Places behind which frames are missing: more of them than from any other frame to the next."""
        steps = np.diff(self.frames)
        return np.flatnonzero(steps > 2 * np.median(steps)) + 1 if len(steps) else np.array([], int)


def timeline(windows: Sequence[Window], attributions: Sequence[Attribution]) -> Timeline:
    """Join the windows of one video, 1 or more, explained by one method."""
    shown = np.concatenate([window.frames for window in windows])
    frames, first, place = np.unique(shown, return_index=True, return_inverse=True)
    importance = np.concatenate([each.importance for each in attributions])
    total = np.zeros((len(frames), *importance.shape[1:]), np.float32)
    np.add.at(total, place, importance)
    shows = np.repeat(np.arange(len(windows)), [len(window.frames) for window in windows])
    counted = np.unique([place, shows], axis=1)[0] if METHODS[attributions[0].method].sums else place
    times = np.bincount(counted)[:, None, None]
    pixels = np.concatenate([each.pixels for each in attributions])
    return Timeline(attributions[0].method, frames, (total / times).astype(np.float32), pixels[first])
