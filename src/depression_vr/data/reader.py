"""From frame numbers to the pixels of a clip."""

import os
from collections import ChainMap
from collections.abc import Sequence
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path
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
        pixels: ``(T, 3, H, W)``, uint8 0..255; colours last in memory.
        substituted: how many unreadable frames were replaced by their nearest readable neighbour.
    """

    pixels: Tensor
    substituted: int


class ReadFrame(NamedTuple):
    """Pixels of one frame, ``(H, W, 3)``, uint8 0..255, and whether they are a neighbour's."""

    pixels: np.ndarray
    is_substitute: bool


class ClipReader:
    """Reads clips and decides what happens when a frame cannot be read.

    Frames that a clip shares with the one read before it, as windows of one video do, are not decoded again.

    Args:
        size: height and width in pixels at which frames are read.
        on_bad_frame: ``error`` stops and names the file, ``skip`` takes the nearest readable frame of
            the same video and counts it.
        threads: that decode frames in each process.
    """

    def __init__(self, size: tuple[int, int], on_bad_frame: OnBadFrame = "error", threads: int = 1) -> None:
        self.size = size
        self.on_bad_frame = on_bad_frame
        self.threads = threads
        self._last_folder: Path | None = None
        self._last_frames: dict[int, ReadFrame] = {}

    def read(self, folder: FrameFolder, frames: np.ndarray) -> ReadClip:
        """Read the frames of one clip; a frame that occurs more than once is decoded once.

        Raises:
            UserError: naming the frame that cannot be read, or the video without any readable frame.
        """
        known = self._last_frames if folder.path == self._last_folder else {}
        numbers = frames.tolist()
        pixels = np.empty((len(numbers), *self.size, 3), np.uint8)
        places = {number: place for place, number in reversed([*enumerate(numbers)])}  # the first of each

        def fill(share: Sequence[int]) -> dict[int, ReadFrame]:
            filled = {}
            for number in share:
                frame = known.get(number) or self._frame(folder, number)
                pixels[places[number]] = frame.pixels
                filled[number] = ReadFrame(pixels[places[number]], frame.is_substitute)
            return filled

        shares = [[*places][first :: self.threads] for first in range(self.threads)]
        self._last_frames = dict(ChainMap(*_threads(self.threads, os.getpid()).map(fill, shares)))
        self._last_folder = folder.path
        for place, number in enumerate(numbers):
            if place != places[number]:
                pixels[place] = pixels[places[number]]
        substituted = sum(self._last_frames[number].is_substitute for number in numbers)
        return ReadClip(torch.from_numpy(pixels).permute(0, 3, 1, 2), substituted)

    @property
    def substituted(self) -> frozenset[int]:
        """Numbers of the frames of the last clip that were unreadable and are a neighbour's."""
        return frozenset(number for number, frame in self._last_frames.items() if frame.is_substitute)

    def _frame(self, folder: FrameFolder, number: int) -> ReadFrame:
        try:
            return ReadFrame(read_frame(folder, number, self.size), False)
        except OSError as error:
            return ReadFrame(self._substitute(folder, number, error), True)

    def _substitute(self, folder: FrameFolder, number: int, error: OSError) -> np.ndarray:
        if self.on_bad_frame == "error":
            raise UserError(
                f"a frame cannot be read: {error}",
                where=str(folder.frame_path(number)),
                fix="restore the file, or set data.on_bad_frame=skip to take the nearest readable frame; a "
                "training begins anew with it",
            ) from error
        neighbours = sorted(range(len(folder)), key=lambda other: abs(other - number))
        for neighbour in neighbours[1:]:
            try:
                return read_frame(folder, neighbour, self.size)
            except OSError:
                continue
        raise UserError(
            "none of the video's frames can be read", where=str(folder.path), fix="restore the folder"
        ) from error


@cache
def _threads(number: int, process: int) -> ThreadPool:
    """The threads of a process; those of its parent are not there after a fork.

    No process waits for them when it ends: they may wait for a file server that hangs.
    """
    return ThreadPool(number)
