"""The first convolution of a network, which sees three channels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from depression_vr.models.cpu import takes_cpu_form
from depression_vr.models.float32 import autocasts

_TAPS = 8  # of the kernel along a row: one more than it has, so that each position begins at an even pixel


class StemConvolution(nn.Conv3d):
    """``(B, 3, T, H, W)`` to ``(B, planes, T, ceil(H/2), ceil(W/2))``: kernel 7, stride 2 in space, no bias.

    In bfloat16 on a CPU the pixels of a row that the kernel sees together become channels: oneDNN's kernels
    for three channels waste most of what bfloat16 could gain.
    """

    def __init__(self, planes: int) -> None:
        super().__init__(3, planes, kernel_size=7, stride=(1, 2, 2), padding=3, bias=False)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        """Convolve with any weight; torch's layer and `models.arithmetic` come here."""
        if autocasts(input.device):
            input = input.to(torch.get_autocast_dtype(input.device.type))  # noqa: A001
        if input.dtype != torch.bfloat16 or not takes_cpu_form(input):
            return super()._conv_forward(input, weight, bias)
        taps = row_taps(input)
        return functional.conv3d(taps, tap_kernel(weight), bias, stride=(1, 2, 1), padding=(3, 3, 0))


def row_taps(x: Tensor) -> Tensor:
    """``(B, C, T, H, W)`` to ``(B, 8C, T, H, ceil(W/2))``: the 8 pixels from 2w - 3 on as channels of w."""
    padded = functional.pad(x, (3, 3 + x.shape[4] % 2)).movedim(1, 4)
    # (B, T, H, ceil(W/2), C, 8) -> channels last in memory; what neighbours share is copied
    return padded.unfold(3, _TAPS, 2).transpose(4, 5).flatten(4).contiguous().movedim(4, 1)


def tap_kernel(weight: Tensor) -> Tensor:
    """The weight for `row_taps`: ``(planes, C, 7, 7, 7)`` to ``(planes, 8C, 7, 7, 1)``."""
    return functional.pad(weight, (0, 1)).permute(0, 4, 1, 2, 3).flatten(1, 2).unsqueeze(4)
