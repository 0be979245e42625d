"""The evaluation windows of one video, with or without a corpus around it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from depression_vr.data.clips import ClipShape, Window, clip_frames, evaluation_windows
from depression_vr.data.frames import FrameFolder
from depression_vr.data.preparation import Preparation
from depression_vr.data.reader import ClipReader, ReadClip


@dataclass(frozen=True, eq=False)
class VideoWindows:
    """One video as an evaluation cuts, reads and prepares it.

    Attributes:
        folder: its frames, 1 or more.
        shape: how clips are cut.
        reader: reads frames.
        preparation: makes views of them.
    """

    folder: FrameFolder
    shape: ClipShape
    reader: ClipReader
    preparation: Preparation

    def __iter__(self) -> Iterator[Window]:
        """Windows in their order; ``video`` is 0."""
        frames = len(self.folder)
        index = evaluation_windows(np.array([0]), np.array([frames]), self.shape)
        for number in range(len(index)):
            start = int(index.at(number).start)
            yield Window(0, number, clip_frames(frames, start, self.shape))

    def read(self, window: Window) -> ReadClip:
        """Pixels of a window, ``(T, 3, H, W)``, uint8 0..255.

        Raises:
            UserError: a frame cannot be read.
        """
        return self.reader.read(self.folder, window.frames)

    def views(self, pixels: Tensor, device: torch.device) -> tuple[Tensor, ...]:
        """What the network sees of pixels ``(B, T, 3, H, W)``: views ``(B, 3, T, h, w)``, normalised."""
        return self.preparation(pixels.to(device), None)
