"""The first convolution of a network with all that follows up to the pooled map."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models import winograd
from depression_vr.models.cpu import takes_cpu_form
from depression_vr.models.inference.convolution import CHANNELS_LAST, Folded, convolve
from depression_vr.models.stem_convolution import row_taps, tap_kernel


class FoldedStem(nn.Module):
    """Convolution of three channels (kernel 7, stride 2 in space), batch norm, ReLU and max pooling.

    The convolution's output is by far the largest map of a network. On a CPU it never exists as a whole: few
    frames at a time are convolved and pooled in space, but for clips in float32 that do not fill the tiles of
    `winograd`, which are short.

    Args:
        folded: the convolution and the batch norm.
        pool: what follows ReLU.
    """

    weight: Tensor
    bias: Tensor
    taps: Tensor
    points: Tensor

    def __init__(self, folded: Folded, pool: nn.MaxPool3d) -> None:
        super().__init__()
        self.register_buffer("weight", folded.weight)
        self.register_buffer("bias", folded.bias)
        self.register_buffer("taps", tap_kernel(folded.weight).contiguous(memory_format=CHANNELS_LAST))
        self.register_buffer("points", winograd.point_kernels(folded.weight))
        self.pool = pool

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` to the pooled map, ``(B, planes, ...)``."""
        clips = clips.to(self.weight.dtype)
        is_short = clips.dtype == torch.float32 and not winograd.fills_tiles(clips.shape[2])
        # a GPU has the memory, and would wait for many small kernels
        if is_short or not takes_cpu_form(clips):
            pooled: Tensor = self.pool(convolve(clips, self.weight, self.bias, (1, 2, 2), (3, 3, 3)))
            return pooled
        size, stride, padding = (
            _triple(sides) for sides in (self.pool.kernel_size, self.pool.stride, self.pool.padding)
        )
        steps, convolved, maps = clips.shape[2], self._form(clips), None
        for some, frames, seen in winograd.parts(clips):
            part = convolved(seen).movedim(4, 1)
            with torch.autocast(part.device.type, enabled=False):  # which would pool in float32
                part = functional.max_pool3d(part, (1, *size[1:]), (1, *stride[1:]), (0, *padding[1:]))
            part = part.movedim(1, 4)
            if maps is None:
                maps = part.new_empty(len(clips), steps + 2 * padding[0], *part.shape[2:])
                maps[:, : padding[0]] = maps[:, steps + padding[0] :] = 0  # ReLU leaves nothing less
            inner = maps[some, padding[0] : padding[0] + steps]
            inner[:, frames] = part[:, : steps - frames.start]
        assert maps is not None
        last = maps.shape[1] - size[0] + 1
        windows = [maps[:, step : step + last : stride[0]] for step in range(size[0])]
        pooled = windows[0].relu()  # and so all that is larger
        for window in windows[1:]:
            torch.maximum(pooled, window, out=pooled)
        return pooled.movedim(4, 1)

    def _form(self, clips: Tensor) -> Callable[[Tensor], Tensor]:
        """How to convolve ``(B, n + 6, H, W, 3)`` to n time steps."""
        if clips.dtype == torch.bfloat16:
            return self._by_taps
        if clips.dtype == torch.float32:
            return self._by_points
        return self._plainly

    def _by_points(self, frames: Tensor) -> Tensor:
        with torch.autocast(frames.device.type, enabled=False):  # its points need float32
            return winograd.convolved(frames, self.points, self.bias)

    def _by_taps(self, frames: Tensor) -> Tensor:
        taps = row_taps(frames.movedim(4, 1))
        return convolve(taps, self.taps, self.bias, (1, 2, 1), (0, 3, 0), relu=False).movedim(1, 4)

    def _plainly(self, frames: Tensor) -> Tensor:
        clips = frames.movedim(4, 1)
        return convolve(clips, self.weight, self.bias, (1, 2, 2), (0, 3, 3), relu=False).movedim(1, 4)


def _triple(sides: int | tuple[int, ...]) -> tuple[int, ...]:
    return (sides,) * 3 if isinstance(sides, int) else sides
