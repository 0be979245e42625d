"""From frame numbers to the pixels of a clip."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from depression_vr.data.frames import FrameFolder, read_frame
from depression_vr.errors import UserError

OnBadFrame = Literal["error", "skip"]


class ReadClip(NamedTuple):
    """Pixels of one clip.

    Attributes:
        pixels: ``(T, 3, H, W)``, uint8 0..255.
        substituted: how many unreadable frames were replaced by their nearest readable neighbour.
    """

    pixels: Tensor
    substituted: int


class ClipReader:
    """Reads clips and decides what happens when a frame cannot be read.

    Args:
        size: height and width in pixels at which frames are read.
        on_bad_frame: ``error`` stops and names the file, ``skip`` takes the nearest readable frame of
            the same video and counts it.
    """

    def __init__(self, size: tuple[int, int], on_bad_frame: OnBadFrame = "error") -> None:
        self.size = size
        self.on_bad_frame = on_bad_frame

    def read(self, folder: FrameFolder, frames: np.ndarray) -> ReadClip:
        """Read the frames of one clip; a frame that occurs more than once is decoded once.

        Raises:
            UserError: naming the frame that cannot be read, or the video without any readable frame.
        """
        numbers, positions = np.unique(frames, return_inverse=True)
        pixels = np.empty((len(numbers), *self.size, 3), np.uint8)
        bad = np.zeros(len(numbers), bool)
        for place, number in enumerate(numbers):
            try:
                pixels[place] = read_frame(folder.frame_path(number), self.size)
            except OSError as error:
                bad[place] = True
                pixels[place] = self._substitute(folder, int(number), error)
        # one layout, whichever process collates: sums over pixels depend on the order in memory
        clip = torch.from_numpy(pixels[positions]).permute(0, 3, 1, 2).contiguous()
        return ReadClip(clip, int(bad[positions].sum()))

    def _substitute(self, folder: FrameFolder, number: int, error: OSError) -> np.ndarray:
        if self.on_bad_frame == "error":
            raise UserError(
                f"a frame cannot be read: {error}",
                where=str(folder.frame_path(number)),
                fix="restore the file, or set data.on_bad_frame=skip to take the nearest readable frame",
            ) from error
        neighbours = sorted(range(len(folder)), key=lambda other: abs(other - number))
        for neighbour in neighbours[1:]:
            try:
                return read_frame(folder.frame_path(neighbour), self.size)
            except OSError:
                continue
        raise UserError(
            "none of the video's frames can be read", where=str(folder.path), fix="restore the folder"
        ) from error
