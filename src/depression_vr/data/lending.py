"""Shared memory in which a worker process hands batches over, and which it has back when they are gone.

Fresh shared memory for every batch costs the worker four times as much: the system clears every page.
"""

import math
import os
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

_FREE, _LENT = 0, 1  # the last byte of a buffer
_KEPT = 4  # free buffers: as many as go round of a worker whose batches are let go one after the other


class PixelMemory:
    """Stacks clips in memory that goes round between a worker and the process that it reads for.

    A buffer is lent with every batch, and free again as soon as nothing shows its pixels any more. Whoever
    holds batches may hold them as long as they like: the worker never waits, but takes a new buffer where
    none is free. It keeps a few for as long as it lives, so that the shared memory of a run is that of its
    training's and its evaluation's workers together.

    Attributes:
        buffers: those that are lent and a few free ones, shared memory.
    """

    def __init__(self) -> None:
        self.buffers: list[Tensor] = []

    def stack(self, clips: Sequence[Tensor]) -> Tensor:
        """Clips ``(T, 3, H, W)``, uint8, as ``(B, T, 3, H, W)``, colours last in memory.

        In a worker it is `LentClips`, which are a tensor for whoever receives them.
        """
        frames = [clip.permute(0, 2, 3, 1) for clip in clips]  # as they lie in memory
        if get_worker_info() is None:
            return _colours_in_front(torch.stack(frames))
        shape = (len(frames), *frames[0].shape)
        lent = LentClips(self._free(math.prod(shape)), shape)
        torch.stack(frames, out=lent.pixels())
        lent.buffer[-1] = _LENT
        return cast(Tensor, lent)

    def _free(self, size: int) -> Tensor:
        free = [place for place, buffer in enumerate(self.buffers) if buffer[-1] == _FREE]
        for place in reversed(free[_KEPT:]):
            del self.buffers[place]
        for place in free[:_KEPT]:
            if len(self.buffers[place]) > size:
                return self.buffers[place]
        self.buffers.append(torch.zeros(size + 1, dtype=torch.uint8).share_memory_())
        return self.buffers[-1]


@dataclass(frozen=True, eq=False)
class LentClips:
    """Clips in a buffer; where it is unpickled, a tensor ``(B, T, 3, H, W)``.

    Attributes:
        buffer: shared memory, uint8, its last byte not for pixels.
        shape: of the clips, ``(B, T, H, W, 3)``.
    """

    buffer: Tensor
    shape: tuple[int, ...]

    def pixels(self) -> Tensor:
        """The clips as they lie in memory."""
        return self.buffer[: math.prod(self.shape)].view(self.shape)

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[object, ...]]:
        return _borrowed, (self.buffer, self.shape)


def _borrowed(buffer: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The clips in a buffer, which is given back with the last tensor that shows them."""
    pixels = LentClips(buffer, shape).pixels().numpy()
    # no tensor: PyTorch refuses to write to it where gradients or modes are others than here
    mark = buffer[-1:].numpy()
    weakref.finalize(pixels, _give_back, mark, os.getpid()).atexit = False
    # PyTorch tells nobody of a storage's end, but keeps the array till then
    return _colours_in_front(torch.from_numpy(pixels))


def _colours_in_front(clips: Tensor) -> Tensor:
    return clips.permute(0, 1, 4, 2, 3)


def _give_back(mark: np.ndarray, process: int) -> None:
    if os.getpid() == process:  # not in one that was forked meanwhile
        mark[0] = _FREE
