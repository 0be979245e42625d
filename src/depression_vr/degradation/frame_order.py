"""What slow cameras and full buffers do to the order of frames. A clip stays as long as it is."""

import numpy as np

from depression_vr.degradation.base import Degradation, DegradedVideo


class FrameRate(Degradation):
    """A lower frame rate: of every so many frames that clips keep the first is shown for all."""

    name = "frame_rate"
    title = "lower frame rate"
    unit = "frames of a clip per new one"
    wanted = "whole numbers of 2 to 1000000"
    identity = 1.0

    def has_level(self) -> bool:
        """Whole numbers from 2, up to more frames than any video has."""
        return 2 <= self.level <= 1_000_000 and self.level == int(self.level)

    def shown(self, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """Counted from the first frame of the video, not of the clip."""
        kept = frames // video.step
        return (kept - kept % int(self.level)) * video.step


class DroppedFrames(Degradation):
    """Frames drop out at random, each with the same probability; the last one before stands for them.

    The first frame of a video never drops out. What is missing at a lower level is missing at a higher one
    too.
    """

    name = "dropped_frames"
    title = "dropped frames"
    unit = "probability"
    wanted = "probabilities above 0 and below 1"
    identity = 0.0

    def has_level(self) -> bool:
        """Between 0 and 1."""
        return 0 < self.level < 1

    def shown(self, frames: np.ndarray, video: DegradedVideo) -> np.ndarray:
        """The last frame, of those that clips keep, that has not dropped out."""
        kept = -(-video.frames // video.step)
        is_there = video.generator(self.name).random(kept) >= self.level
        is_there[0] = True
        last = np.maximum.accumulate(np.where(is_there, np.arange(kept), 0))
        return last[frames // video.step] * video.step
